import { signal } from "@preact/signals";
import { describe, expect, it, vi } from "vitest";
import { rename } from "../../src/annotator/actions/objects";
import type { App } from "../../src/annotator/app";
import type { ObjectInfo } from "../../src/annotator/messages";

const dog = { id: 3, name: "dog" } as ObjectInfo;

function appThat(takes: boolean) {
  const ask = vi.fn(async () => (takes ? { ok: true } : null));
  const changing = signal<object | null>(null);
  return { ask, changing, app: { kernel: { ask }, store: { changing } } as unknown as App };
}

describe("a name that is typed", () => {
  it("is asked for without the blanks around it", async () => {
    const { app, ask, changing } = appThat(true);
    expect(await rename(app, dog, " old dog ")).toBe(true);
    expect(ask.mock.calls).toEqual([["object.update", { object: 3, name: "old dog" }]]);
    expect(changing.value).toBeNull();
  });

  it.each(["dog", " dog", "  ", ""])("changes nothing where it is %j", async (typed) => {
    const { app, ask } = appThat(true);
    expect(await rename(app, dog, typed)).toBe(true);
    expect(ask).not.toHaveBeenCalled();
  });

  it("is there to be mended where it was refused", async () => {
    const { app, changing } = appThat(false);
    const typed = "dog ".repeat(63);
    expect(await rename(app, dog, typed)).toBe(false);
    expect(changing.value).toEqual({ object: 3, at: "name", typed });
  });
});
