/** The objects: which one is in hand, what they are called, whether they are shown or locked. */

import { useSignal } from "@preact/signals";
import type { App } from "../app";
import { Icon, type IconName } from "../icons";
import type { ObjectInfo } from "../protocol";
import { ActionButton } from "./action-button";

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
        <ul class="ev-objects">
          {objects.map((object) => (
            <Row key={object.id} app={app} object={object} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Row({ app, object }: { app: App; object: ObjectInfo }) {
  const renaming = useSignal(false);
  const { id, name, color, visible, locked } = object;
  const active = app.editor.object.value?.id === id;
  const editable = !app.synced.readOnly.value;
  const update = (changes: Partial<Omit<ObjectInfo, "id">>) =>
    void app.kernel.ask("object.update", { object: id, ...changes });
  const rename = (text: string) => {
    renaming.value = false;
    if (text.trim() && text.trim() !== name) update({ name: text.trim() });
  };
  return (
    <li class={`ev-object ${active ? "ev-object-active" : ""}`} data-object={id}>
      {renaming.value ? (
        <input
          class="ev-field ev-name"
          aria-label={`Name of object ${id}`}
          value={name}
          ref={(field) => field?.focus()}
          onFocus={(event) => event.currentTarget.select()}
          onBlur={(event) => rename(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") event.currentTarget.blur();
            else if (event.key === "Escape") renaming.value = false;
            else return;
            event.stopPropagation();
          }}
        />
      ) : (
        <button
          type="button"
          class="ev-object-name"
          aria-pressed={active}
          title={editable ? `${name}  (${id}); double click to rename` : name}
          onClick={() => app.synced.activeObject.set(id)}
          onDblClick={() => {
            renaming.value = editable;
          }}
        >
          <span class="ev-swatch" style={{ "--ev-object": color }}>
            {id}
          </span>
          <span class="ev-name">{name}</span>
        </button>
      )}
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
            icon="remove"
            label={`Remove ${name}`}
            onClick={() => void app.editor.removeObject(id)}
          />
        </>
      )}
    </li>
  );
}

interface ToggleProps {
  icon: IconName;
  label: string;
  on?: boolean;
  onClick(): void;
}

/** A small switch at the end of a row; it stays in sight while it is on. */
const Toggle = ({ icon, label, on, onClick }: ToggleProps) => (
  <button
    type="button"
    class={`ev-button ev-small ev-row-button ${on ? "ev-on" : ""}`}
    aria-label={label}
    title={label}
    onClick={onClick}
  >
    <Icon name={icon} />
  </button>
);
