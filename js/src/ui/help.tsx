/** The cheat-sheet, written from the table of actions; keys are changed where they are read. */

import { type Signal, useSignal } from "@preact/signals";
import { Fragment } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Action } from "./actions";
import type { Commands } from "./commands";
import { Icon } from "./icons";
import { display, nameOf } from "./key-names";
import type { Keys } from "./keymap";

/** Pressed on the way to another key. */
const MODIFIERS = new Set(["Shift", "Control", "Alt", "Meta", "AltGraph", "CapsLock"]);

/** A change of keys that is being made. */
interface Change<C> {
  wanted: Action<C>;
  /** The key that was pressed, and what has it already. */
  taken: { key: string; by: Action<C> } | null;
}

interface Props<C> {
  commands: Commands<C>;
  /** What the pointer does: how, and what. */
  pointer: readonly (readonly [gesture: string, effect: string])[];
}

export function Help<C>({ commands, pointer }: Props<C>) {
  const { keys } = commands;
  const dialog = useRef<HTMLDivElement>(null);
  const close = useRef<HTMLButtonElement>(null);
  const change = useSignal<Change<C> | null>(null);
  // In the layout phase, so that no key is pressed between the sheet and what had the focus.
  useLayoutEffect(() => {
    const root = dialog.current?.getRootNode() as Document | ShadowRoot;
    const before = root.activeElement as HTMLElement | null;
    const beside = [...(dialog.current?.parentElement?.children ?? [])].filter(
      (element): element is HTMLElement =>
        element instanceof HTMLElement && element !== dialog.current,
    );
    for (const element of beside) element.inert = true;
    close.current?.focus();
    return () => {
      for (const element of beside) element.inert = false;
      before?.focus({ preventScroll: true });
    };
  }, []);
  const groups = Map.groupBy(
    commands.table.actions.filter((action) => action.keys.length > 0 && action.listed !== ""),
    (action) => action.group,
  );
  return (
    <div ref={dialog} class="ev-help" role="dialog" aria-modal="true" aria-label="Keys">
      <div class="ev-title-row">
        <h2 class="ev-headline">Keys</h2>
        <div class="ev-group">
          {keys.changed.value && (
            <button
              type="button"
              class="ev-button ev-small"
              data-keys="reset"
              onClick={() => {
                keys.restoreAll();
                change.value = null;
                close.current?.focus();
              }}
            >
              <Icon name="reset" />
              <span>All keys as they were</span>
            </button>
          )}
          <button
            ref={close}
            type="button"
            class="ev-button ev-small"
            aria-label="Close"
            onClick={() => {
              commands.sheetOpen.value = false;
            }}
          >
            <Icon name="close" />
          </button>
        </div>
      </div>
      <p class="ev-text">Press a key's button to change it. Changes stay in this browser.</p>
      <div class="ev-help-groups">
        {[...groups].map(([group, actions]) => (
          <section key={group}>
            <h3 class="ev-title">{group}</h3>
            <ul>
              {actions.map((action) => (
                <Row key={action.id} keys={keys} action={action} change={change} />
              ))}
            </ul>
          </section>
        ))}
        <section>
          <h3 class="ev-title">Pointer</h3>
          <ul>
            {pointer.map(([gesture, effect]) => (
              <li key={gesture}>
                <span>{effect}</span>
                <span class="ev-quiet">{gesture}</span>
              </li>
            ))}
          </ul>
        </section>
      </div>
    </div>
  );
}

interface RowProps<C> {
  keys: Keys<C>;
  action: Action<C>;
  change: Signal<Change<C> | null>;
}

function Row<C>({ keys, action, change }: RowProps<C>) {
  const { id, label, listed } = action;
  const own = keys.of(action);
  const current = change.value?.wanted === action ? change.value : null;
  const written = own.map((key) => display(key)).join(" ") || "none";
  if (listed) {
    return (
      <li>
        <span>{label}</span>
        <kbd class="ev-key">{listed}</kbd>
      </li>
    );
  }
  const take = (event: KeyboardEvent) => {
    if (!current || MODIFIERS.has(event.key)) return;
    const key = nameOf(event, event.getModifierState("AltGraph"));
    if (key === "Tab" || key === "Shift+Tab" || key === "") return;
    event.preventDefault();
    event.stopPropagation();
    if (key === "Escape") {
      change.value = null;
      return;
    }
    const by = keys.clash(action, key);
    if (by) change.value = { wanted: action, taken: { key, by } };
    else give(key);
  };
  const give = (key: string) => {
    keys.rebind(action, key);
    change.value = null;
  };
  return (
    <li data-row={id}>
      <span>{label}</span>
      <span class="ev-row-keys">
        {keys.isChanged(action) && (
          <button
            type="button"
            class="ev-button ev-small ev-key-reset"
            aria-label={`${label}: the key it had`}
            title="The key it had"
            onClick={() => keys.restore(action)}
          >
            <Icon name="reset" />
          </button>
        )}
        <button
          type="button"
          class="ev-key-button"
          aria-label={current ? `${label}: press a key` : `${label}: ${written}. Change`}
          aria-pressed={current !== null}
          onClick={() => {
            change.value = current ? null : { wanted: action, taken: null };
          }}
          onKeyDown={take}
          onKeyUp={(event) => current && event.preventDefault()}
          onBlur={() => {
            if (current && !current.taken) change.value = null;
          }}
        >
          {current ? (
            <kbd class="ev-key">press a key</kbd>
          ) : own.length > 0 ? (
            own.map((key, index) => (
              <Fragment key={key}>
                {index > 0 && " "}
                <kbd class="ev-key">{display(key)}</kbd>
              </Fragment>
            ))
          ) : (
            <kbd class="ev-key ev-quiet">none</kbd>
          )}
        </button>
      </span>
      {current?.taken && (
        <span class="ev-clash" role="alert">
          <span>
            {display(current.taken.key)} is “{current.taken.by.label}”.
          </span>
          <button
            type="button"
            class="ev-button ev-small ev-primary"
            data-keys="take"
            onClick={() => current.taken && give(current.taken.key)}
          >
            <span>Take it</span>
          </button>
          <button
            type="button"
            class="ev-button ev-small"
            onClick={() => {
              change.value = null;
            }}
          >
            <span>Leave it</span>
          </button>
        </span>
      )}
    </li>
  );
}
