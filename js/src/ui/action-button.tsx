/** A button that is a row of the table of actions: name, key, state and effect come from there. */

import { action, isEnabled, run } from "../annotator/actions/table";
import type { App } from "../annotator/app";
import { Icon, type IconName } from "./icons";
import { display, keyFor, withKey } from "./keys";

interface Props {
  app: App;
  id: string;
  icon?: IconName;
  /** What is written on it; without it, only the icon is. */
  text?: string;
  /** Adds to the tooltip what exactly would happen. */
  detail?: string | null;
  /** Writes the key on the button, not only in its tooltip. */
  showKey?: boolean;
  class?: string;
}

export function ActionButton({ app, id, icon, text, detail, showKey, class: extra }: Props) {
  const wanted = action(id);
  const key = keyFor(app, wanted);
  const written = key ? display(key) : "";
  const name = detail ? `${wanted.label}: ${detail}` : wanted.label;
  return (
    <button
      type="button"
      class={`ev-button ${extra ?? ""}`}
      data-action={id}
      aria-label={text === undefined || detail ? name : undefined}
      aria-pressed={wanted.pressed?.(app)}
      aria-keyshortcuts={key ? key.replace("Mod", "Control") : undefined}
      title={withKey(app, name, id)}
      disabled={!isEnabled(app, wanted)}
      onClick={() => run(app, id)}
    >
      {icon && <Icon name={icon} />}
      {text !== undefined && <span>{text}</span>}
      {showKey && written && <kbd class="ev-key">{written}</kbd>}
    </button>
  );
}
