/** How keys are named, in tables of actions and for people. Pure. */

export interface Press {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  isComposing?: boolean;
  keyCode?: number;
}

/** Whether a key press is for the input method. Safari tells of the one that ends it by its code only. */
export const composes = ({ isComposing, keyCode }: Pick<Press, "isComposing" | "keyCode">) =>
  isComposing === true || keyCode === 229;

/** The name of a key press, as the table of actions writes it; "" for one that has none. */
export function nameOf(press: Press, altGraph = false): string {
  if (composes(press)) return "";
  let { key } = press;
  if (key === " ") key = "Space";
  // A keyboard of another script: the letter that stands in this place on a Latin one.
  if (key.length === 1 && key > "\u007f" && /^Key[A-Z]$/.test(press.code))
    key = press.code.slice(3);
  const letter = /^[a-z]$/i.test(key);
  if (letter) key = key.toLowerCase();
  const printable = key.length === 1;
  const modified = !altGraph && (press.ctrlKey || press.metaKey);
  if (press.altKey && !altGraph) return "";
  const shifted = press.shiftKey && (letter || !printable);
  return `${modified ? "Mod+" : ""}${shifted ? "Shift+" : ""}${key}`;
}

/** How a key is written for people. */
export function display(key: string, mac = isMac()): string {
  const names: Record<string, string> = {
    Mod: mac ? "⌘" : "Ctrl",
    Shift: mac ? "⇧" : "Shift",
    ArrowLeft: "←",
    ArrowRight: "→",
    ArrowUp: "↑",
    ArrowDown: "↓",
    Backspace: "⌫",
    Escape: "Esc",
    Delete: "Del",
  };
  const parts = key === "+" ? ["+"] : key.split("+");
  return parts
    .map((part) => names[part] ?? (/^[a-z]$/.test(part) ? part.toUpperCase() : part))
    .join(mac ? "" : "+");
}

const isMac = () => /Mac|iP(hone|ad)/.test(navigator.platform);
