/** A long list of rows of one height, of which only those in sight are drawn. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";

interface Props {
  count: number;
  height: number;
  role?: "rowgroup" | "list" | "presentation";
  row: (index: number) => ComponentChildren;
}

const SPARE = 8;

export function Rows({ count, height, role = "rowgroup", row }: Props) {
  const list = useRef<HTMLDivElement>(null);
  const [[first, last], see] = useState<[number, number]>([0, 40]);

  useLayoutEffect(() => {
    const scroller = list.current!.closest<HTMLElement>("[data-scroller]")!;
    const look = (): void => {
      const above = scroller.getBoundingClientRect().top - list.current!.getBoundingClientRect().top;
      const from = Math.max(0, Math.floor(above / height) - SPARE);
      const to = Math.ceil((above + scroller.clientHeight) / height) + SPARE;
      see((before) => (before[0] === from && before[1] === to ? before : [from, to]));
    };
    look();
    const sized = new ResizeObserver(look);
    sized.observe(scroller);
    scroller.addEventListener("scroll", look, { passive: true });
    return () => {
      sized.disconnect();
      scroller.removeEventListener("scroll", look);
    };
  }, [height, count === 0]);

  const seen = Array.from({ length: Math.max(0, Math.min(count, last) - first) }, (_, index) => first + index);
  return (
    <div class="rows" role={role} ref={list} style={{ height: `${count * height}px` }}>
      {seen.map(row)}
    </div>
  );
}

/** Bring a row of such a list into sight. */
export function reveal(list: HTMLElement, index: number, height: number): void {
  const scroller = list.closest<HTMLElement>("[data-scroller]")!;
  const top = list.getBoundingClientRect().top - scroller.getBoundingClientRect().top + index * height;
  if (top < 40) scroller.scrollTop += top - 40;
  else if (top + height > scroller.clientHeight) scroller.scrollTop += top + height - scroller.clientHeight;
}
