/** The cheat-sheet, written from the table of actions. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { ACTIONS, type ActionGroup } from "../actions";
import type { App } from "../app";
import { Icon } from "../icons";
import { display } from "../keys";

const POINTER: readonly [string, string][] = [
  ["Left click", "belongs to the object"],
  ["Right click, Alt or Shift", "does not belong; erases with the brush"],
  ["Wheel", "zoom where the pointer is"],
  ["Space or middle button, drag", "move the picture"],
];

export function Help({ app }: { app: App }) {
  const close = useRef<HTMLButtonElement>(null);
  // In the layout phase, so that no key is pressed between the sheet and what had the focus.
  useLayoutEffect(() => {
    const root = app.root.getRootNode() as Document | ShadowRoot;
    const before = root.activeElement as HTMLElement | null;
    close.current?.focus();
    return () => before?.focus({ preventScroll: true });
  }, [app]);
  const groups = Map.groupBy(
    ACTIONS.filter((action) => action.keys.length > 0 && action.listed !== ""),
    (action): ActionGroup => action.group,
  );
  return (
    <div class="ev-help" role="dialog" aria-modal="true" aria-label="Keys">
      <div class="ev-title-row">
        <h2 class="ev-headline">Keys</h2>
        <button
          ref={close}
          type="button"
          class="ev-button ev-small"
          aria-label="Close"
          onClick={() => {
            app.store.helpOpen.value = false;
          }}
        >
          <Icon name="close" />
        </button>
      </div>
      <div class="ev-help-groups">
        {[...groups].map(([group, actions]) => (
          <section key={group}>
            <h3 class="ev-title">{group}</h3>
            <dl>
              {actions.map(({ id, keys, label, listed }) => (
                <div key={id}>
                  <dt>{label}</dt>
                  <dd>
                    {(listed ? [listed] : keys).map((key) => (
                      <kbd key={key} class="ev-key">
                        {listed ?? display(key)}
                      </kbd>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <section>
          <h3 class="ev-title">Pointer</h3>
          <dl>
            {POINTER.map(([gesture, effect]) => (
              <div key={gesture}>
                <dt>{effect}</dt>
                <dd>{gesture}</dd>
              </div>
            ))}
          </dl>
        </section>
      </div>
    </div>
  );
}
