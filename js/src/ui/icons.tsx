/** Icons on a 16 x 16 grid, drawn with the colour of the text. */

import type { JSX } from "preact";

const shapes = {
  points: (
    <>
      <circle cx="5.5" cy="10.5" r="4" />
      <path d="M5.5 8.7v3.6M3.7 10.5h3.6M10.5 4h4" />
    </>
  ),
  brush: <path d="M13.5 2.5 7 9M6.8 9.2c-2-.3-3 1-3 2.3 0 1-.8 1.8-1.8 2 2.8.8 6-.1 6-2.8Z" />,
  eraser: <path d="m9.3 2.7 4 4-6.6 6.6H4.5L2.3 11a1 1 0 0 1 0-1.4ZM6 6l4 4M7 13.3h6.5" />,
  box: <path stroke-dasharray="3 2" d="M2.5 3.5h11v9h-11z" />,
  polygon: (
    <>
      <path d="M4 3.5 13 5l-2 8-8-2Z" />
      <path
        d="M3 2.5h2v2H3zM12 4h2v2h-2zM10 12h2v2h-2zM2 10h2v2H2z"
        fill="currentColor"
        stroke="none"
      />
    </>
  ),
  scribble: <path d="M2 11c2-6 4-8 5-7s-3 6-1.5 7 4-5 5.2-4-1.5 3.5 0 4 2-.6 2.8-1.5" />,
  fill: (
    <>
      <path d="m7 2.5 5 5-4.5 4.5-5-5L7 2.500ZM5 1v3.500M3 7h8.5" />
      <path
        d="M13.3 10.200s1.2 1.7 1.2 2.600a1.2 1.2 0 0 1-2.4 0c0-.9 1.2-2.6 1.2-2.600Z"
        fill="currentColor"
      />
    </>
  ),
  pick: <path d="m3 2 9 5-4 1.200L6 12.500ZM8.5 9l3.5 4.5" />,
  whole: <path d="M9.500 2.500h4v4M13.500 2.500 9 7M6.500 13.500h-4v-4M2.500 13.500 7 9" />,
  crosshair: (
    <>
      <circle cx="8" cy="8" r="4" />
      <path d="M8 1.500v4M8 10.500v4M1.5 8h4M10.5 8h4" />
    </>
  ),
  onion: (
    <>
      <path stroke-dasharray="2.5 2" d="M6 3a4.5 5 0 1 0 0 10 4.5 5 0 0 0 0-10Z" />
      <path d="M10 3a4.5 5 0 1 1 0 10 4.5 5 0 0 1 0-10Z" />
    </>
  ),
  difference: (
    <>
      <path d="M2.5 2.500h11v11h-11z" />
      <path d="M2.5 8l5.5-5.500M2.5 13.5 8 8M8 8l5.5 5.500M8 2.5 13.5 8" />
    </>
  ),
  actual: <path d="M2.5 5.5 4.5 4v8M11 5.5 13 4v8M8 6.500v.1M8 10.500v.1" />,
  palette: (
    <>
      <path d="M8 2.200a5.8 5.8 0 1 0 0 11.600c1.6 0 1-1.6 1.4-2.3.5-.8 3.7.3 4.3-2.2.8-3.7-2-7.1-5.7-7.100Z" />
      <path d="M5 8.500v.1M6.2 5.200v.1M9.8 4.900v.1" stroke-width="2.2" />
    </>
  ),
  reset: <path d="M3 4.500V8h3.500M3.3 8a5 5 0 1 1 1.2 3.5" />,
  undo: <path d="M6 3 2.8 6.2 6 9.4M3 6.2h6.5a3.5 3.5 0 0 1 0 7H6.5" />,
  redo: <path d="m10 3 3.2 3.2L10 9.4M13 6.2H6.5a3.5 3.5 0 0 0 0 7h3" />,
  outline: <path d="M8 2.5c3.5 0 5.5 2 5.5 5s-1.5 6-4.5 6-6.5-1.5-6.5-5 2-6 5.5-6Z" />,
  opacity: (
    <>
      <circle cx="8" cy="8" r="5.5" />
      <path d="M8 2.5a5.5 5.5 0 0 1 0 11Z" fill="currentColor" stroke="none" />
    </>
  ),
  fit: <path d="M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10" />,
  export: <path d="M8 2.5v7M5 6.7l3 3 3-3M2.5 11v2.5h11V11" />,
  help: <path d="M5.8 5.8a2.2 2.2 0 1 1 3.3 1.9c-.8.5-1.1.9-1.1 1.8M8 12.3v.2" />,
  previous: <path d="M10 3.5 5.5 8l4.5 4.5" />,
  next: <path d="M6 3.5 10.5 8 6 12.5" />,
  play: <path d="M5 3.2v9.6L12.5 8Z" fill="currentColor" />,
  pause: <path d="M5.5 3.5v9M10.5 3.5v9" stroke-width="2.2" />,
  eye: (
    <>
      <path d="M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8Z" />
      <circle cx="8" cy="8" r="1.8" />
    </>
  ),
  hidden: (
    <path d="M2.5 2.5l11 11M6.5 4a6 6 0 0 1 1.5-.2c4 0 6.5 4.2 6.5 4.2a11 11 0 0 1-1.8 2.2M4.3 5A11 11 0 0 0 1.5 8S4 12.2 8 12.2a6 6 0 0 0 2.7-.6" />
  ),
  locked: <path d="M4 7.5h8v6H4zM5.7 7.5V5a2.3 2.3 0 0 1 4.6 0v2.5" />,
  unlocked: <path d="M4 7.5h8v6H4zM5.7 7.5V5a2.3 2.3 0 0 1 4.4-.9" />,
  remove: <path d="M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.6 9h5.8l.6-9" />,
  add: <path d="M8 3v10M3 8h10" />,
  propagate: <path d="M2.5 8h8M7.5 4.5 11 8l-3.5 3.5M13.5 3.5v9" />,
  stop: <path d="M4.5 4.5h7v7h-7z" fill="currentColor" />,
  check: <path d="m3 8.5 3.3 3.3L13 5" />,
  absent: (
    <>
      <circle cx="8" cy="8" r="5.5" />
      <path d="m4.2 11.8 7.6-7.6" />
    </>
  ),
  more: <path d="m4 6.5 4 4 4-4" />,
  edit: <path d="M10.5 3 13 5.5 6 12.5l-3.2.7.7-3.2ZM9 4.5 11.5 7" />,
  close: <path d="m4 4 8 8M12 4l-8 8" />,
} satisfies Record<string, JSX.Element>;

export type IconName = keyof typeof shapes;

export const Icon = ({ name }: { name: IconName }) => (
  <svg
    class="ev-icon"
    viewBox="0 0 16 16"
    fill="none"
    stroke="currentColor"
    stroke-width="1.4"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
  >
    {shapes[name]}
  </svg>
);
