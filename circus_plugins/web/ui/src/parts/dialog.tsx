/** Questions, and messages of what became of orders. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { dismiss, question, toasts } from "../store/orders";
import { Icon } from "./icons";

interface Props {
  title: string;
  close: () => void;
  children: ComponentChildren;
}

/** A box over the page; Escape closes it, and the focus returns to where it was. */
export function Dialog({ title, close, children }: Props) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    box.current!.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={box} aria-label={title} onCancel={(event) => (event.preventDefault(), close())}>
      {children}
    </dialog>
  );
}

export function Asked() {
  const asked = question.value;
  if (!asked) return null;
  return (
    <Dialog title={asked.title} close={() => asked.answer(false)}>
      <form method="dialog" onSubmit={(event) => (event.preventDefault(), asked.answer(true))}>
        <h1>{asked.title}</h1>
        <p class="muted">{asked.words}</p>
        <footer>
          <button type="button" onClick={() => asked.answer(false)}>
            Cancel
          </button>
          <button type="submit" class={asked.harm ? "main harm" : "main"} autofocus>
            {asked.does}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((each) => (
        <div class={`toast ${each.kind}`} key={each.key}>
          <div class="wide">
            <strong>{each.title}</strong>
            {each.words.split("\n").map((line, index) => (
              <div class="muted small" key={index}>
                {line}
              </div>
            ))}
          </div>
          <button class="plain icon" aria-label="Dismiss" onClick={() => dismiss(each.key)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
