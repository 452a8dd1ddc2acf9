import { signal } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { rootTheme, type Theme } from "../../src/ui/theme";
import { IdleObserver } from "../idle-observer";

/** What the system says, by media query. */
let media: Map<string, EventTarget & { matches: boolean }>;
let abort: AbortController;

const FORCED = "(forced-colors: active)";
const DARK = "(prefers-color-scheme: dark)";

const say = (query: string, matches: boolean) => {
  const list = media.get(query);
  if (!list) throw new Error(`nobody asks for ${query}.`);
  list.matches = matches;
  list.dispatchEvent(new Event("change"));
};

beforeEach(() => {
  abort = new AbortController();
  media = new Map(
    [FORCED, DARK].map((query) => [query, Object.assign(new EventTarget(), { matches: false })]),
  );
  vi.stubGlobal("matchMedia", (query: string) => media.get(query));
  const element = () => ({ dataset: {}, classList: [], style: {} });
  const body = { ...element(), dataset: { jpThemeLight: "true" } };
  vi.stubGlobal("document", { body, documentElement: element() });
  vi.stubGlobal("MutationObserver", IdleObserver);
});

afterEach(() => {
  abort.abort();
  vi.unstubAllGlobals();
});

describe.each(["auto", "light", "dark"] as const)("a theme that is chosen as %s", (chosen) => {
  const root = { dataset: {} as Record<string, string> };
  const own: Theme = chosen === "dark" ? "dark" : "light";

  it("is that of the system while it forces its colours", () => {
    const theme = rootTheme(root as never, signal(chosen), abort.signal);
    expect(theme.value).toBe(own);
    say(FORCED, true);
    expect(theme.value).toBe("light");
    say(DARK, true);
    expect([theme.value, root.dataset.theme]).toEqual(["dark", "dark"]);
    say(FORCED, false);
    expect([theme.value, root.dataset.theme]).toEqual([own, own]);
  });
});
