/** Shapes inside an SVG element of the page. */

import type { Shape } from "./picture";
import { pathData } from "./svg";

export function Shapes({ shapes }: { shapes: readonly Shape[] }) {
  return (
    <>
      {shapes.map((shape, i) =>
        shape.kind === "text" ? (
          <text
            key={i}
            x={shape.x}
            y={shape.y}
            font-size={shape.size}
            fill={shape.color}
            text-anchor={shape.align}
          >
            {shape.text}
          </text>
        ) : (
          <path
            key={i}
            d={pathData(shape.points)}
            fill={shape.width === undefined ? shape.color : "none"}
            stroke={shape.width === undefined ? undefined : shape.color}
            stroke-width={shape.width}
            stroke-dasharray={shape.dash?.join(" ")}
            opacity={shape.opacity}
          />
        ),
      )}
    </>
  );
}
