/** A button that opens a list of things to do. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

export interface Choice {
  words: string;
  harm?: boolean;
  act: () => void;
}

export function Menu({ label, choices, children, plain }: { label: string; choices: Choice[]; children: ComponentChildren; plain?: boolean }) {
  const [shown, show] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  // At once, so that the next key is for the menu already.
  useLayoutEffect(() => {
    if (!shown) return;
    const list = box.current!.querySelector<HTMLElement>("[role=menu]")!;
    // Where there is no room below, it opens upwards.
    const { bottom, height, top } = list.getBoundingClientRect();
    if (bottom > innerHeight - 60 && top > height + 100) list.classList.add("above");
    list.querySelector<HTMLElement>("[role=menuitem]")?.focus({ preventScroll: true });
    const outside = (event: Event): void => {
      if (!box.current?.contains(event.target as Node)) show(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [shown]);
  if (!choices.length) return null;

  const keys = (event: KeyboardEvent): void => {
    const items = [...box.current!.querySelectorAll<HTMLElement>("[role=menuitem]")];
    const at = items.indexOf(document.activeElement as HTMLElement);
    if (event.key === "Escape") {
      show(false);
      box.current!.querySelector("button")!.focus();
    } else if (event.key === "ArrowDown") items[(at + 1) % items.length]?.focus();
    else if (event.key === "ArrowUp") items[(at - 1 + items.length) % items.length]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div class="menu" ref={box} onKeyDown={shown ? keys : undefined}>
      <button class={plain ? "plain icon" : ""} aria-label={label} title={label} aria-haspopup="menu" aria-expanded={shown} onClick={() => show(!shown)}>
        {children}
      </button>
      {shown && (
        <div role="menu" aria-label={label}>
          {choices.map((choice) => (
            <button key={choice.words} role="menuitem" class={choice.harm ? "harm" : ""} onClick={() => (show(false), choice.act())}>
              {choice.words}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
