/** Marks on the lanes. Each has a shape of its own: colour only says whose it is. */

import type { JSX } from "preact";

export type MarkKind = "drawn" | "corrected" | "verified" | "absent" | "suggested" | "draft";

/** In the order of the legend. */
export const MARK_NAMES: Record<MarkKind, string> = {
  drawn: "drawn",
  corrected: "corrected",
  verified: "accepted",
  absent: "absent",
  suggested: "suggested",
  draft: "not saved",
};

const SHAPES: Record<MarkKind, JSX.Element> = {
  drawn: <circle class="ev-mark-body" cx="8" cy="8" r="5" />,
  corrected: <path class="ev-mark-body" d="M8 1.8 14.2 8 8 14.2 1.8 8Z" />,
  verified: (
    <>
      <rect class="ev-mark-body" x="2.5" y="2.5" width="11" height="11" rx="2" />
      <path class="ev-mark-line" d="m5 8.3 2.2 2.2L11 5.8" />
    </>
  ),
  absent: (
    <>
      <circle class="ev-mark-hole" cx="8" cy="8" r="5" />
      <path class="ev-mark-line" d="m4.6 11.4 6.8-6.8" />
    </>
  ),
  suggested: (
    <>
      <path class="ev-mark-flag" d="M2.5 1.5h11v10h-3L8 14.5l-2.5-3h-3Z" />
      <path class="ev-mark-sign" d="M8 3.6v3.6M8 9.2v.3" />
    </>
  ),
  draft: <circle class="ev-mark-draft-ring" cx="8" cy="8" r="6.5" />,
};

interface Props {
  kind: MarkKind;
  class?: string;
  style?: { left: string };
}

export const Mark = ({ kind, class: extra, style }: Props) => (
  <svg
    class={`ev-mark ev-mark-${kind} ${extra ?? ""}`}
    style={style}
    viewBox="0 0 16 16"
    aria-hidden="true"
  >
    {SHAPES[kind]}
  </svg>
);
