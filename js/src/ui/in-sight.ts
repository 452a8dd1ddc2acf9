/** Keeps a row in sight within its list, without moving the notebook around it. */

import { useEffect, useRef } from "preact/hooks";

/** The row's ref; the list around it is the nearest `.ev-scroll`. It is looked at again where the row `grows`. */
export function useInSight<E extends HTMLElement>(wanted: boolean, grows = false) {
  const row = useRef<E>(null);
  useEffect(() => {
    const list = row.current?.closest(".ev-scroll");
    if (!wanted || !row.current || !list) return;
    const [inner, outer] = [row.current, list].map((element) => element.getBoundingClientRect());
    if (inner.top < outer.top) list.scrollTop -= outer.top - inner.top;
    if (inner.bottom > outer.bottom) list.scrollTop += inner.bottom - outer.bottom;
  }, [wanted, grows]);
  return row;
}
