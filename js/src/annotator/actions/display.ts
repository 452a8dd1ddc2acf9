/** How masks are shown, and what opens beside the picture. */

import type { Action } from "../../ui/actions";
import type { App } from "../app";

const OPACITY_STEP = 0.1;

const fade = (id: string, label: string, key: string, by: number): Action<App> => ({
  id,
  group: "View",
  label,
  keys: [key],
  run: (app) => {
    const opacity = Math.round((app.display.value.opacity + by) * 20) / 20;
    app.show({ opacity: Math.min(1, Math.max(0, opacity)) });
  },
  repeats: true,
});

/** Nothing can be compared with a mask that was never seen: otherwise a key seems dead. */
function tellUnknown(app: App): void {
  if (!app.layer.before) app.store.announcement.value = "No mask before this one is known";
}

export const MASK_ACTIONS: readonly Action<App>[] = [
  {
    id: "view.peek",
    group: "View",
    label: "Hide masks while held",
    keys: ["h"],
    run: () => {},
    hold: {
      start: (app) => {
        app.store.peeking.value = true;
      },
      end: (app) => {
        app.store.peeking.value = false;
      },
    },
  },
  {
    id: "view.outline",
    group: "View",
    label: "Outlines",
    keys: ["o"],
    run: (app) => app.show({ contour: !app.display.value.contour }),
    pressed: (app) => app.display.value.contour,
  },
  {
    id: "view.onion",
    group: "View",
    label: "Onion skin: frame before in dashes, after in dots",
    keys: ["Shift+o"],
    run: (app) => app.show({ onion: !app.display.value.onion }),
    pressed: (app) => app.display.value.onion,
  },
  {
    id: "view.difference",
    group: "View",
    label: "Difference to the mask before",
    keys: ["Shift+d"],
    run: (app) => {
      const difference = !app.display.value.difference;
      app.show({ difference });
      if (difference) tellUnknown(app);
    },
    pressed: (app) => app.display.value.difference,
  },
  {
    id: "view.before",
    group: "View",
    label: "Show the mask before while held",
    keys: ["q"],
    run: () => {},
    hold: {
      start: (app) => {
        app.store.comparing.value = true;
        tellUnknown(app);
      },
      end: (app) => {
        app.store.comparing.value = false;
      },
    },
  },
  {
    id: "view.davis",
    group: "View",
    label: "Colours of DAVIS",
    keys: ["Shift+p"],
    run: (app) => app.show({ palette: app.display.value.palette === "davis" ? "safe" : "davis" }),
    pressed: (app) => app.display.value.palette === "davis",
  },
];

export const OPACITY_ACTIONS: readonly Action<App>[] = [
  fade("view.fainter", "Fainter masks", "{", -OPACITY_STEP),
  fade("view.stronger", "Stronger masks", "}", OPACITY_STEP),
];

export const PANEL_ACTIONS: readonly Action<App>[] = [
  {
    id: "view.whole",
    group: "View",
    label: "Whole screen",
    keys: ["w"],
    run: (app) => app.toggleWholeScreen(),
    enabled: () => document.fullscreenEnabled,
    pressed: (app) => app.store.wholeScreen.value,
  },
  {
    id: "export",
    group: "View",
    label: "Export",
    keys: ["x"],
    run: (app) => {
      app.store.exportOpen.value = !app.store.exportOpen.value;
    },
    enabled: (app) => (app.kernel.capabilities.value?.exports.length ?? 0) > 0,
    pressed: (app) => app.store.exportOpen.value,
  },
  {
    id: "log",
    group: "View",
    label: "Messages",
    keys: ["l"],
    run: (app) => {
      app.store.logOpen.value = !app.store.logOpen.value;
    },
    pressed: (app) => app.store.logOpen.value,
  },
  {
    id: "help",
    group: "View",
    label: "Keys",
    keys: ["?"],
    run: (app) => {
      app.commands.sheetOpen.value = !app.commands.sheetOpen.value;
    },
    pressed: (app) => app.commands.sheetOpen.value,
    overSheet: true,
  },
];
