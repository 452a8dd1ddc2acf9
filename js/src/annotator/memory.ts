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
