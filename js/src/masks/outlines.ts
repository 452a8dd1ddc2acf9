/** Outlines of label maps as lines between pixels, sharp at any zoom. Pure. */

/** Corners of one closed line, x and y in turn, in image pixels (pixel centres at integers). */
export type Loop = readonly number[];

/** The outlines of each object on a frame. */
export type Outlines = ReadonlyMap<number, readonly Loop[]>;

const RIGHT = 0;
const DOWN = 1;
const LEFT = 2;
const DX = [1, 0, -1, 0];
const DY = [0, 1, 0, -1];

/**
 * The outlines of every object: each a list of closed lines with the object to the right of the
 * way, so that holes run the other way round.
 */
export function outlinesOf(labels: Uint8Array, width: number, height: number): Map<number, Loop[]> {
  const found = new Map<number, Loop[]>();
  const at = (x: number, y: number) =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : labels[y * width + x];
  // Every outline has a top edge somewhere; walking along it from there marks its others.
  const walked = new Uint8Array(labels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const label = labels[y * width + x];
      if (label === 0 || walked[y * width + x] || at(x, y - 1) === label) continue;
      const loops = found.get(label) ?? [];
      loops.push(
        walk(x, y, label, at, (px, py) => {
          walked[py * width + px] = 1;
        }),
      );
      found.set(label, loops);
    }
  }
  return found;
}

/** Follows an outline from the top left corner of pixel (`x`, `y`) until it is back there. */
function walk(
  x: number,
  y: number,
  label: number,
  at: (x: number, y: number) => number,
  topEdge: (x: number, y: number) => void,
): Loop {
  const loop: number[] = [];
  let [cx, cy, heading] = [x, y, RIGHT];
  do {
    if (heading === RIGHT) topEdge(cx, cy);
    cx += DX[heading];
    cy += DY[heading];
    // The two pixels ahead of this corner, on the right and the left of the way.
    const [right, left] = ahead(cx, cy, heading);
    const turn = at(...right) !== label ? 1 : at(...left) === label ? 3 : 0;
    if (turn !== 0) {
      loop.push(cx - 0.5, cy - 0.5);
      heading = (heading + turn) % 4;
    }
  } while (cx !== x || cy !== y || heading !== RIGHT);
  return loop;
}

function ahead(
  cx: number,
  cy: number,
  heading: number,
): [right: [number, number], left: [number, number]] {
  const northEast: [number, number] = [cx, cy - 1];
  const southEast: [number, number] = [cx, cy];
  const southWest: [number, number] = [cx - 1, cy];
  const northWest: [number, number] = [cx - 1, cy - 1];
  switch (heading) {
    case RIGHT:
      return [southEast, northEast];
    case DOWN:
      return [southWest, southEast];
    case LEFT:
      return [northWest, southWest];
    default:
      return [northEast, northWest];
  }
}
