/** Everything a person can do in the point verifier; the keys lie under one hand. */

import { type Action, ActionTable } from "../ui/actions";
import type { Label } from "./messages";
import type { View } from "./view";

const ZOOM_STEP = 1.4;

const answer = (label: Label, name: string, keys: string[]): Action<View> => ({
  id: `answer.${label}`,
  group: "Answers",
  label: name,
  keys,
  run: (view) => view.answer(label),
  enabled: (view) => view.takesAnswers,
});

export const ACTIONS = new ActionTable<View>([
  answer("positive", "Yes, it is on the object", ["f"]),
  answer("negative", "No, it is not", ["d"]),
  answer("unknown", "Cannot tell", ["s"]),
  {
    id: "begin",
    group: "Answers",
    label: "Begin with this object",
    keys: ["Space", "Enter"],
    run: (view) => view.begin(),
    enabled: (view) => view.stage.value === "localisation",
    mode: "localisation",
  },
  {
    id: "back",
    group: "Way",
    label: "Back to the point before",
    keys: ["a", "ArrowLeft"],
    run: (view) => view.back(),
    enabled: (view) =>
      ["waiting", "localisation", "question", "behind", "done"].includes(view.stage.value) &&
      view.before !== null,
    repeats: true,
  },
  {
    id: "forward",
    group: "Way",
    label: "On, where it is answered",
    keys: ["g", "ArrowRight"],
    run: (view) => view.forward(),
    enabled: (view) =>
      view.stage.value === "question" &&
      view.current !== null &&
      view.answers.of(view.current, view.place.value) !== null,
    repeats: true,
  },
  {
    id: "skip",
    group: "Way",
    label: "Skip this object",
    keys: ["q"],
    run: (view) => view.skip(),
    enabled: (view) =>
      !view.synced.readOnly.value &&
      // One of which nothing can be shown any more would keep the others waiting.
      (["question", "localisation", "behind"].includes(view.stage.value) ||
        (view.stage.value === "waiting" && view.current !== null)),
  },
  {
    id: "pause",
    group: "Way",
    label: "Pause, or go on",
    keys: ["Space"],
    run: (view) => view.togglePause(),
    enabled: (view) => ["question", "paused"].includes(view.stage.value),
    pressed: (view) => view.paused.value,
  },
  {
    id: "remind",
    group: "View",
    label: "Hold: which object is it?",
    keys: ["w"],
    run: (view) => {
      view.reminding.value = !view.reminding.value;
    },
    pressed: (view) => view.reminding.value,
    enabled: (view) => view.stage.value === "question",
    hold: {
      start: (view) => {
        view.reminding.value = true;
      },
      end: (view) => {
        view.reminding.value = false;
      },
    },
  },
  {
    id: "crop.smaller",
    group: "View",
    label: "Enlarge more",
    keys: ["+", "="],
    run: (view) => view.enlarge(ZOOM_STEP),
    repeats: true,
  },
  {
    id: "crop.larger",
    group: "View",
    label: "Enlarge less",
    keys: ["-"],
    run: (view) => view.enlarge(1 / ZOOM_STEP),
    repeats: true,
  },
  {
    id: "help",
    group: "View",
    label: "Keys",
    keys: ["?"],
    run: ({ commands }) => {
      commands.sheetOpen.value = !commands.sheetOpen.value;
    },
    overSheet: true,
  },
  {
    id: "escape",
    group: "View",
    label: "Close the sheet of keys",
    keys: ["Escape"],
    run: ({ commands }) => {
      commands.sheetOpen.value = false;
    },
    enabled: ({ commands }) => commands.sheetOpen.value,
    overSheet: true,
    listed: "",
  },
]);
