/** The objects: which one is in hand, what they are called, and what can be done with them. */

import { useSignal } from "@preact/signals";
import type { App } from "../app";
import { Icon, type IconName } from "../icons";
import type { ObjectInfo } from "../protocol";
import { ActionButton } from "./action-button";
import { useInSight } from "./in-sight";

export function Objects({ app }: { app: App }) {
  const objects = app.kernel.objects.value;
  return (
    <section class="ev-card" aria-labelledby="ev-objects-title">
      <div class="ev-title-row">
        <h2 id="ev-objects-title" class="ev-title">
          Objects
        </h2>
        <ActionButton app={app} id="object.add" icon="add" class="ev-small" />
      </div>
      {objects.length === 0 ? (
        <p class="ev-text ev-quiet">The first one is made when you start to draw.</p>
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
  const editing = useSignal(false);
  const { id, name, color, visible, locked } = object;
  const active = app.editor.object.value?.id === id;
  const row = useInSight<HTMLLIElement>(active);
  const editable = !app.synced.readOnly.value;
  const update = (changes: Partial<Omit<ObjectInfo, "id">>) =>
    void app.kernel.ask("object.update", { object: id, ...changes });
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
            editing.value = editable;
          }}
        >
          <span class="ev-swatch" style={{ "--ev-object": color }}>
            {id}
          </span>
          <span class="ev-name">{name}</span>
        </button>
        <Toggle
          on={!visible}
          icon={visible ? "eye" : "hidden"}
          label={`${visible ? "Hide" : "Show"} ${name}`}
          onClick={() => update({ visible: !visible })}
        />
        {editable && (
          <>
            <Toggle
              on={locked}
              icon={locked ? "locked" : "unlocked"}
              label={`${locked ? "Unlock" : "Lock"} ${name}`}
              onClick={() => update({ locked: !locked })}
            />
            <Toggle
              on={editing.value}
              icon="edit"
              label={`Change ${name}`}
              expanded={editing.value}
              onClick={() => {
                editing.value = !editing.value;
              }}
            />
          </>
        )}
      </div>
      {editing.value && editable && (
        <Details app={app} object={object} update={update} close={() => (editing.value = false)} />
      )}
    </li>
  );
}

interface DetailsProps {
  app: App;
  object: ObjectInfo;
  update(changes: Partial<Omit<ObjectInfo, "id">>): void;
  close(): void;
}

/** Name, colour, merging and removing; a locked object can only be named and coloured. */
function Details({ app, object, update, close }: DetailsProps) {
  const { id, name, color, locked } = object;
  const others = app.kernel.objects.value.filter((other) => other.id !== id && !other.locked);
  const rename = (text: string) => {
    if (text.trim() && text.trim() !== name) update({ name: text.trim() });
  };
  return (
    <div class="ev-object-details" role="group" aria-label={`Change ${name}`}>
      <input
        class="ev-field"
        aria-label={`Name of object ${id}`}
        value={name}
        ref={(field) => {
          if (field && !field.dataset.seen) {
            field.dataset.seen = "true";
            field.select();
          }
        }}
        onChange={(event) => rename(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") rename(event.currentTarget.value);
          else if (event.key !== "Escape") return;
          event.stopPropagation();
          close();
          app.stage?.element.focus({ preventScroll: true });
        }}
      />
      <label class="ev-color" title="Colour">
        <span class="ev-hidden">Colour of {name}</span>
        <input
          type="color"
          value={color}
          onChange={(event) => update({ color: event.currentTarget.value })}
        />
      </label>
      <button
        type="button"
        class="ev-button ev-small"
        aria-label={`Remove ${name}`}
        title={locked ? `${name} is locked` : `Remove ${name}; undo brings it back`}
        disabled={locked}
        onClick={() => void app.editor.removeObject(id)}
      >
        <Icon name="remove" />
      </button>
      {others.length > 0 && !locked && (
        <select
          class="ev-field"
          aria-label={`Merge ${name} into`}
          value=""
          onChange={(event) => {
            const into = Number(event.currentTarget.value);
            if (into) void app.editor.mergeObject(id, into);
          }}
        >
          <option value="">merge into …</option>
          {others.map((other) => (
            <option key={other.id} value={other.id}>
              {other.id} {other.name}
            </option>
          ))}
        </select>
      )}
    </div>
  );
}

interface ToggleProps {
  icon: IconName;
  label: string;
  on?: boolean;
  expanded?: boolean;
  onClick(): void;
}

/** A small switch at the end of a row; it stays in sight while it is on. */
const Toggle = ({ icon, label, on, expanded, onClick }: ToggleProps) => (
  <button
    type="button"
    class={`ev-button ev-small ev-row-button ${on ? "ev-on" : ""}`}
    aria-label={label}
    aria-expanded={expanded}
    title={label}
    onClick={onClick}
  >
    <Icon name={icon} />
  </button>
);
