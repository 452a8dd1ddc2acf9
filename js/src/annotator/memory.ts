/**
 * What this tab of the browser remembers of a session, so that a reload or a kernel that was
 * restarted costs nobody the way back. Where a host has no storage nothing is remembered.
 */

import type { Tool } from "./messages";

/** Where somebody was. */
export interface Place {
  frame: number;
  object: number;
  tool: Tool | "auto";
}

const PLACE = "evavos-widget.place:";

export function rememberPlace(session: string, place: Place): void {
  write(PLACE + session, JSON.stringify(place));
}

export function recallPlace(session: string): Place | null {
  return parsed<Place>(read(PLACE + session));
}

const DRAFTS = "evavos-widget.drafts:";

/** Keeps the drafts of one view of a session. */
export function rememberDrafts(session: string, view: string, drafts: readonly object[]): void {
  const key = `${DRAFTS}${session}:${view}`;
  if (drafts.length > 0) write(key, JSON.stringify(drafts));
  else forget(key);
}

/** Takes the drafts of the views of a session that `mine` is true for; they are kept no more. */
export function takeDrafts<T>(session: string, mine: (view: string) => boolean): T[] {
  const start = `${DRAFTS}${session}:`;
  return keys()
    .filter((key) => key.startsWith(start) && mine(key.slice(start.length)))
    .flatMap((key) => {
      const drafts = parsed<T[]>(read(key));
      forget(key);
      return drafts ?? [];
    });
}

function keys(): string[] {
  try {
    return Object.keys(sessionStorage);
  } catch {
    return [];
  }
}

function parsed<T>(text: string | null): T | null {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

function read(key: string): string | null {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, text: string): void {
  try {
    sessionStorage.setItem(key, text);
  } catch {
    // No storage, or no room in it: what is older there is wrong by now.
    forget(key);
  }
}

function forget(key: string): void {
  try {
    sessionStorage.removeItem(key);
  } catch {
    // A host without storage.
  }
}
