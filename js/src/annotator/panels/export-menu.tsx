/** The formats the kernel can write, and where the file went. */

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { ActionButton } from "../../ui/action-button";
import { step } from "../../ui/roving";
import type { App } from "../app";

/** Formats as people call them; one that is not listed is shown as the kernel names it. */
const NAMES: Record<string, string> = {
  davis: "DAVIS palette PNG",
  "youtube-vos": "YouTube-VOS folder",
  coco: "COCO (one annotation per image)",
  "youtube-vis": "YouTube-VIS (one track per object)",
  overlay: "Video with overlay, MP4",
  numpy: "NumPy array, NPZ",
  pointvos: "Verified points, JSON of Point-VOS",
};

export function ExportMenu({ app }: { app: App }) {
  const open = app.store.exportOpen;
  const menu = useRef<HTMLUListElement>(null);
  const running = useSignal<string | null>(null);
  const formats = app.kernel.capabilities.value?.exports ?? [];
  // Whoever opened it by a key goes on in it by keys.
  useLayoutEffect(() => {
    if (open.value) menu.current?.querySelector("button")?.focus();
  }, [open.value]);
  const write = async (format: string) => {
    open.value = false;
    app.canvas?.focus();
    running.value = format;
    app.store.announcement.value = `Exporting ${NAMES[format] ?? format} …`;
    await app.editor.annotations.settled();
    const reply = await app.kernel.ask("export.run", { format, path: null }, { slow: true });
    running.value = null;
    app.store.announcement.value = reply ? `Exported to ${reply.fields.path}` : "";
    if (reply) app.kernel.note("info", app.store.announcement.value);
  };
  return (
    <div
      class="ev-menu-anchor"
      onFocusOut={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) open.value = false;
      }}
    >
      <ActionButton app={app} id="export" icon="export" text="Export" />
      {open.value && (
        <ul
          ref={menu}
          class="ev-menu"
          aria-label="Export as"
          onKeyDown={(event) => {
            const entries = [...event.currentTarget.querySelectorAll("button")];
            step(event, entries, "ArrowUp", "ArrowDown");
          }}
        >
          {formats.map((format) => (
            <li key={format}>
              <button
                type="button"
                class="ev-menu-item"
                data-export={format}
                disabled={running.value !== null}
                onClick={() => app.attempt(write(format))}
              >
                {NAMES[format] ?? format}
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
