/** A host of a widget, and what its page says, without a browser. */

import type { AnyModel } from "@anywidget/types";
import type { VNode } from "preact";

export interface Host<T extends object> {
  model: AnyModel<T>;
  /** The kernel is no more: the host takes no message for it. */
  cut: boolean;
  sent: { id: string; kind: string }[];
  /** The host says that the connection is another now. */
  connect(): void;
}

export function hostOf<T extends object>(traits: T): Host<T> {
  const listeners = new Map<string, () => void>();
  const host: Host<T> = {
    cut: false,
    sent: [],
    connect: () => listeners.get("comm_live_update")?.(),
    model: {
      get: (name: keyof T) => traits[name],
      set: () => {},
      on: (event: string, listener: () => void) => listeners.set(event, listener),
      off: (event: string) => listeners.delete(event),
      save_changes: () => {},
      send: (content: Host<T>["sent"][number]) => {
        if (host.cut) throw new Error("Cannot send");
        host.sent.push(content);
      },
    } as unknown as AnyModel<T>,
  };
  return host;
}

export const root = () => ({ dataset: {}, addEventListener: () => {} }) as unknown as HTMLElement;

/** The words of a layout of which no part keeps anything. */
export function words(node: unknown): string {
  if (Array.isArray(node)) return node.map(words).join(" ");
  if (typeof node === "string" || typeof node === "number") return String(node);
  if (!node || typeof node !== "object") return "";
  const { type, props } = node as VNode;
  return words(
    typeof type === "function" ? (type as (p: object) => unknown)(props) : props.children,
  );
}
