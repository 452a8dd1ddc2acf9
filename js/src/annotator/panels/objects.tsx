/** The objects: which one is in hand, what they are called, and what can be done with them. */

import { useSignal } from "@preact/signals";
import type { Ref } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { ActionButton } from "../../ui/action-button";
import { Icon, type IconName } from "../../ui/icons";
import { useInSight } from "../../ui/in-sight";
import { composes } from "../../ui/key-names";
import { changes } from "../actions/conditions";
import { mergeable, rename } from "../actions/objects";
import type { App } from "../app";
import { unannotated } from "../landmarks";
import type { ObjectInfo } from "../messages";

export function Objects({ app }: { app: App }) {
  const objects = app.kernel.objects.value;
  return (
    <section
      class="ev-card ev-objects-card"
      aria-labelledby="ev-objects-title"
      style={{ "--ev-count": Math.max(objects.length, 1) }}
    >
      <div class="ev-title-row">
        <h2 id="ev-objects-title" class="ev-title">
          Objects
        </h2>
        <ActionButton app={app} id="object.add" icon="add" class="ev-small" />
      </div>
      {objects.length === 0 ? (
        <p class="ev-text ev-quiet">
          {app.synced.readOnly.value
            ? "There is none yet."
            : "The first one is made when you start to draw."}
        </p>
      ) : (
        <ul class="ev-objects ev-scroll">
          {objects.map((object) => (
            <Row key={object.id} app={app} object={object} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Row({ app, object }: { app: App; object: ObjectInfo }) {
  const { id, name, color, visible, locked } = object;
  const active = app.editor.objects.active.value?.id === id;
  const editable = !app.synced.readOnly.value;
  const editing = changes(app, object);
  const called = app.editor.objects.called(id);
  const state = app.kernel.state.value;
  // Selectors ask for objects that were begun; of the others a person is to know, too.
  const notBegun =
    state && state.annotated.length > 0 && unannotated(state).some((o) => o.id === id);
  const row = useInSight<HTMLLIElement>(active || editing, editing);
  // What keys do is done to the object in hand; its buttons name them.
  const by = (name: string) => (active ? `object.${name}` : undefined);
  const update = (changes: Partial<Omit<ObjectInfo, "id">>) =>
    app.attempt(app.kernel.ask("object.update", { object: id, ...changes }));
  return (
    <li
      ref={row}
      class={`ev-object ${active ? "ev-object-active" : ""} ${visible ? "" : "ev-object-hidden"}`}
      data-object={id}
    >
      <div class="ev-object-row">
        <button
          type="button"
          class="ev-object-name"
          aria-pressed={active}
          title={editable ? `${name}  (${id}); double click to change` : name}
          onClick={() => app.synced.activeObject.set(id)}
          onDblClick={() => {
            if (editable) app.store.changing.value = { object: id, at: "name" };
          }}
        >
          <span class="ev-swatch" style={{ "--ev-object": color }}>
            {id}
          </span>
          <span class="ev-name">{name}</span>
        </button>
        {notBegun && (
          <span class="ev-quiet" title="Nothing is annotated of it yet">
            not begun
          </span>
        )}
        <Toggle
          app={app}
          action={by("hide")}
          on={!visible}
          icon={visible ? "eye" : "hidden"}
          label={`${visible ? "Hide" : "Show"} ${called}`}
          onClick={() => app.attempt(app.editor.objects.toggleVisible(object))}
        />
        {editable && (
          <>
            <Toggle
              app={app}
              action={by("lock")}
              on={locked}
              icon={locked ? "locked" : "unlocked"}
              label={`${locked ? "Unlock" : "Lock"} ${called}`}
              onClick={() => app.attempt(app.editor.objects.toggleLocked(object))}
            />
            <Toggle
              app={app}
              action={by("change")}
              on={editing}
              icon="edit"
              label={`Change ${called}`}
              expanded={editing}
              onClick={() => {
                app.store.changing.value = editing ? null : { object: id, at: "name" };
              }}
            />
          </>
        )}
      </div>
      {editing && <Details app={app} object={object} update={update} active={active} />}
    </li>
  );
}

interface DetailsProps {
  app: App;
  object: ObjectInfo;
  update(changes: Partial<Omit<ObjectInfo, "id">>): void;
  active: boolean;
}

/** Name, colour, merging and removing; a locked object can only be named and coloured. */
function Details({ app, object, update, active }: DetailsProps) {
  const { id, name, color, locked } = object;
  const others = mergeable(app, object);
  const called = app.editor.objects.called(id);
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLSelectElement>(null);
  const { changing } = app.store;
  // News from the kernel does not write over a name being typed.
  const typed = useSignal(changing.value?.typed ?? null);
  useLayoutEffect(() => {
    if (changing.value?.at === "merge") list.current?.focus();
    else {
      field.current?.focus();
      field.current?.select();
    }
  }, [changing.value]);
  const close = () => {
    changing.value = null;
    app.canvas?.focus();
  };
  return (
    // A list keeps every key to itself, and Escape does nothing in it.
    <div
      class="ev-object-details"
      role="group"
      aria-label={`Change ${called}`}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || composes(event)) return;
        event.stopPropagation();
        // Leaving the field would give it the name.
        if (field.current) field.current.value = name;
        close();
      }}
    >
      <input
        class="ev-field"
        aria-label={`Name of object ${id}`}
        value={typed.value ?? name}
        ref={field}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
        }}
        onChange={(event) => {
          const taken = rename(app, object, event.currentTarget.value).then((yes) => {
            if (yes) typed.value = null;
          });
          app.attempt(taken);
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || composes(event)) return;
          // The field is left, and so gives the name.
          event.stopPropagation();
          close();
        }}
      />
      <label class="ev-color" title="Colour">
        <span class="ev-hidden">Colour of {called}</span>
        <input
          type="color"
          value={color}
          onChange={(event) => update({ color: event.currentTarget.value })}
        />
      </label>
      <button
        type="button"
        class="ev-button ev-small"
        aria-label={`Remove ${called}`}
        title={
          locked
            ? `${called} is locked`
            : app.commands.withKey(
                `Remove ${called}; undo brings it back`,
                ...(active ? ["object.remove"] : []),
              )
        }
        disabled={locked}
        onClick={() => app.attempt(app.editor.removeObject(id))}
      >
        <Icon name="remove" />
      </button>
      {others.length > 0 && <Merge app={app} object={object} others={others} list={list} />}
    </div>
  );
}

interface MergeProps {
  app: App;
  object: ObjectInfo;
  others: ObjectInfo[];
  list: Ref<HTMLSelectElement>;
}

/** A list that is gone through by keys takes each entry on the way, so a button says that one is meant. */
function Merge({ app, object: { id }, others, list }: MergeProps) {
  const into = useSignal(0);
  const called = app.editor.objects.called(id);
  const active = app.editor.objects.active.value?.id === id;
  return (
    <span class="ev-merge">
      <select
        ref={list}
        class="ev-field"
        title={app.commands.withKey(`Merge ${called} into`, ...(active ? ["object.merge"] : []))}
        aria-label={`Merge ${called} into`}
        value={into.value || ""}
        onChange={(event) => {
          into.value = Number(event.currentTarget.value);
        }}
      >
        <option value="">merge into …</option>
        {others.map((other) => (
          <option key={other.id} value={other.id}>
            {other.id} {other.name}
          </option>
        ))}
      </select>
      <button
        type="button"
        class="ev-button ev-small ev-outlined"
        disabled={!others.some((other) => other.id === into.value)}
        onClick={() => app.attempt(app.editor.mergeObject(id, into.value))}
      >
        Merge
      </button>
    </span>
  );
}

interface ToggleProps {
  app: App;
  /** The action that does the same, where its key does it to this object. */
  action: string | undefined;
  icon: IconName;
  label: string;
  on?: boolean;
  expanded?: boolean;
  onClick(): void;
}

/** A small switch at the end of a row; it stays in sight while it is on. */
const Toggle = ({ app, action, icon, label, on, expanded, onClick }: ToggleProps) => (
  <button
    type="button"
    class={`ev-button ev-small ev-row-button ${on ? "ev-on" : ""}`}
    data-action={action}
    aria-label={label}
    aria-expanded={expanded}
    title={app.commands.withKey(label, ...(action ? [action] : []))}
    onClick={onClick}
  >
    <Icon name={icon} />
  </button>
);
