/** The objects: choosing one, and what is done to the one in hand. */

import type { Action } from "../../ui/actions";
import type { App } from "../app";
import type { ObjectInfo } from "../messages";
import { changes, editable } from "./conditions";

/** Done to the object in hand. */
const toObject = (
  id: string,
  label: string,
  key: string,
  does: (app: App, object: ObjectInfo) => unknown,
  enabled: (app: App, object: ObjectInfo) => boolean,
  pressed?: (app: App, object: ObjectInfo) => boolean,
): Action<App> => {
  const inHand = <T>(app: App, use: (app: App, object: ObjectInfo) => T, otherwise: T): T => {
    const object = app.editor.objects.active.value;
    return object ? use(app, object) : otherwise;
  };
  return {
    id: `object.${id}`,
    group: "Objects",
    label,
    keys: [key],
    run: (app) => inHand(app, does, undefined),
    enabled: (app) => inHand(app, enabled, false),
    pressed: pressed && ((app) => inHand(app, pressed, false)),
  };
};

/** Objects that another one can be merged into. */
export const mergeable = (app: App, { id, locked }: ObjectInfo): ObjectInfo[] =>
  locked ? [] : app.kernel.objects.value.filter((other) => other.id !== id && !other.locked);

/** Opens an object's details, or closes them. */
export function change(app: App, object: number, at: "name" | "merge"): void {
  const now = app.store.changing.value;
  const open = now?.object === object && now.at === at;
  app.store.changing.value = open ? null : { object, at };
}

/** Whether an object has the name that was typed; one that is refused is there to be mended. */
export async function rename(app: App, { id, name }: ObjectInfo, typed: string): Promise<boolean> {
  const wanted = typed.trim();
  if (wanted === "" || wanted === name) return true;
  if (await app.kernel.ask("object.update", { object: id, name: wanted })) return true;
  app.store.changing.value = { object: id, at: "name", typed };
  return false;
}

/** The object after or before the one in hand, for those that have no key of their own. */
function chooseNext(app: App, by: 1 | -1): void {
  const ids = app.kernel.objects.value.map(({ id }) => id);
  const at = ids.indexOf(app.editor.objects.active.value?.id ?? -1);
  if (at >= 0) app.synced.activeObject.set(ids[(at + by + ids.length) % ids.length]);
}

export const OBJECT_ACTIONS: readonly Action<App>[] = [
  {
    id: "object.add",
    group: "Objects",
    label: "Add an object",
    keys: ["a"],
    run: (app) => app.editor.objects.add(),
    enabled: (app) => !app.synced.readOnly.value,
  },
  ...Array.from({ length: 9 }, (_, index): Action<App> => {
    const id = index + 1;
    return {
      id: `object.select.${id}`,
      group: "Objects",
      label: id === 1 ? "Choose an object" : `Choose object ${id}`,
      keys: [String(id)],
      run: (app) => app.synced.activeObject.set(id),
      enabled: (app) => app.kernel.objects.value.some((object) => object.id === id),
      listed: id === 1 ? "1 … 9" : "",
    };
  }),
  {
    id: "object.next",
    group: "Objects",
    label: "Next object",
    keys: ["PageDown"],
    run: (app) => chooseNext(app, 1),
    enabled: (app) => app.kernel.objects.value.length > 1,
    repeats: true,
  },
  {
    id: "object.previous",
    group: "Objects",
    label: "Previous object",
    keys: ["PageUp"],
    run: (app) => chooseNext(app, -1),
    enabled: (app) => app.kernel.objects.value.length > 1,
    repeats: true,
  },
  toObject(
    "hide",
    "Hide the object in hand, or show it",
    "Shift+h",
    (app, object) => app.editor.objects.toggleVisible(object),
    () => true,
    (_, { visible }) => !visible,
  ),
  toObject(
    "lock",
    "Lock the object in hand, or unlock it",
    "Shift+l",
    (app, object) => app.editor.objects.toggleLocked(object),
    editable,
    (_, { locked }) => locked,
  ),
  toObject(
    "change",
    "Name and colour of the object in hand",
    "F2",
    (app, { id }) => change(app, id, "name"),
    editable,
    changes,
  ),
  toObject(
    "merge",
    "Merge the object in hand into another",
    "Shift+m",
    (app, { id }) => change(app, id, "merge"),
    (app, object) => editable(app) && mergeable(app, object).length > 0,
  ),
  toObject(
    "remove",
    "Remove the object in hand",
    "Shift+Delete",
    (app, { id }) => app.editor.removeObject(id),
    (app, { locked }) => editable(app) && !locked,
  ),
  {
    id: "object.pick",
    group: "Objects",
    label: "Choose the object under the pointer",
    keys: ["Shift+v"],
    run: (app) => app.surface?.pick(),
    enabled: (app) => app.kernel.objects.value.length > 0,
  },
];
