/** Light or dark, as the host has it. Resolved in script: selectors do not reach out of a shadow root. */

import { computed, effect, type ReadonlySignal, signal } from "@preact/signals";

export type Theme = "light" | "dark";

const DARK = "(prefers-color-scheme: dark)";

/** Attributes by which hosts tell their theme. */
const ATTRIBUTES = [
  "class",
  "style",
  "data-jp-theme-light",
  "data-vscode-theme-kind",
  "data-theme",
];

/**
 * The theme chosen for a widget, or the host's, and until `abort` its root's too. Where the system
 * forces its colours on the page, what is drawn in others is to be seen on its background.
 */
export function rootTheme(
  root: HTMLElement,
  choice: { readonly value: Theme | "auto" },
  abort: AbortSignal,
): ReadonlySignal<Theme> {
  const host = hostTheme(abort);
  const forced = mediaMatches("(forced-colors: active)", abort);
  const dark = mediaMatches(DARK, abort);
  const theme = computed(() => {
    const chosen = forced.value ? (dark.value ? "dark" : "light") : choice.value;
    return chosen === "light" || chosen === "dark" ? chosen : host.value;
  });
  const stop = effect(() => {
    root.dataset.theme = theme.value;
  });
  abort.addEventListener("abort", stop, { once: true });
  return theme;
}

/** A signal that follows the host's theme until `abort`. */
export function hostTheme(abort: AbortSignal) {
  const theme = signal(resolve());
  const update = () => {
    theme.value = resolve();
  };
  const observer = new MutationObserver(update);
  for (const element of [document.documentElement, document.body]) {
    observer.observe(element, { attributes: true, attributeFilter: ATTRIBUTES });
  }
  matchMedia(DARK).addEventListener("change", update, { signal: abort });
  abort.addEventListener("abort", () => observer.disconnect(), { once: true });
  return theme;
}

/** A signal that follows a media query until `abort`. */
function mediaMatches(query: string, abort: AbortSignal): ReadonlySignal<boolean> {
  const media = matchMedia(query);
  const matches = signal(media.matches);
  const update = () => {
    matches.value = media.matches;
  };
  media.addEventListener("change", update, { signal: abort });
  return matches;
}

function resolve(): Theme {
  const { body, documentElement: html } = document;
  const jupyter = body.dataset.jpThemeLight;
  if (jupyter !== undefined) return jupyter === "false" ? "dark" : "light";
  const code = body.dataset.vscodeThemeKind;
  if (code !== undefined) return /light/.test(code) ? "light" : "dark";
  for (const element of [body, html]) {
    const named = element.dataset.theme ?? [...element.classList].join(" ");
    if (/(^|\s|-)dark($|\s|-)/.test(named)) return "dark";
    if (/(^|\s|-)light($|\s|-)/.test(named)) return "light";
    if (element.style.colorScheme === "dark") return "dark";
    if (element.style.colorScheme === "light") return "light";
  }
  return matchMedia(DARK).matches ? "dark" : "light";
}
