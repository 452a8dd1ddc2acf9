/** A button that is a row of the table of actions: name, key, state and effect come from there. */

import type { Commanded } from "./commands";
import { Icon, type IconName } from "./icons";
import { display } from "./key-names";

interface Props<C> {
  app: Commanded<C>;
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

export function ActionButton<C>({
  app: { commands },
  id,
  icon,
  text,
  detail,
  showKey,
  class: extra,
}: Props<C>) {
  const wanted = commands.table.get(id);
  const key = commands.keyFor(id);
  const written = key ? display(key) : "";
  const refusal = commands.refusal(id);
  const name = detail ? `${wanted.label}: ${detail}` : wanted.label;
  return (
    <button
      type="button"
      class={`ev-button ${extra ?? ""}`}
      data-action={id}
      aria-label={text === undefined || detail ? name : undefined}
      aria-pressed={wanted.pressed?.(commands.context)}
      aria-keyshortcuts={key ? key.replace("Mod", "Control") : undefined}
      title={refusal ?? commands.withKey(name, id)}
      disabled={!commands.isEnabled(id)}
      // Not disabled: it can be come to by keys, and says why.
      aria-disabled={refusal !== null || undefined}
      onClick={() => commands.run(id)}
    >
      {icon && <Icon name={icon} />}
      {text !== undefined && <span>{text}</span>}
      {showKey && written && <kbd class="ev-key">{written}</kbd>}
    </button>
  );
}
