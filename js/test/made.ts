/** What the sources of a folder ask the kernel for. */

/// <reference types="vite/client" />

const SOURCES = import.meta.glob<string>("../src/**/*.{ts,tsx}", {
  query: "?raw",
  import: "default",
  eager: true,
});

/** Kinds of the requests that are made under `src/<folder>/`, each once. */
export function requestsOf(folder: string): string[] {
  const made = Object.entries(SOURCES)
    .filter(([path]) => path.startsWith(`../src/${folder}/`))
    .flatMap(([, text]) => [...text.matchAll(/\.(?:request|ask|askOnce|post)\(\s*"([\w.]+)"/g)])
    .map(([, kind]) => kind);
  return [...new Set(made)].sort();
}
