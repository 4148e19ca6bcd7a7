/** The console by keyboard: keys that count on every page, and the page that lists them. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Dialog } from "./dialog";
import { go } from "../store/route";
import { turn } from "../store/theme";

const help = signal(false);
let pressed = "";

const PLACES: Record<string, string[]> = { w: [""], l: ["logs"], e: ["events"], s: ["sockets"], p: ["plugins"] };

const KEYS: readonly [string, string][] = [
  ["/", "search"],
  ["j  k", "next, previous watcher"],
  ["Enter", "open it"],
  ["x", "select it"],
  ["g w", "watchers; g l logs, g e events, g s sockets, g p plugins"],
  ["t", "dark or light"],
  ["Esc", "close, or leave a field"],
  ["?", "this"],
];

/** Whether a key is meant for something else: a field, an open menu or dialog, the browser itself. */
export function busy(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  const others = event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented;
  return others || document.querySelector("dialog[open], [role=menu]") !== null || target.matches("input:not([type=checkbox]), select, textarea");
}

function pressing(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (busy(event)) {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) target.blur();
    return;
  }
  const before = pressed;
  pressed = event.key;
  if (before === "g" && PLACES[event.key]) go(...PLACES[event.key]!);
  else if (event.key === "/") document.querySelector<HTMLElement>("[data-search]")?.focus();
  else if (event.key === "?") help.value = true;
  else if (event.key === "t") turn();
  else if (event.key === "x") target.closest("[data-name]")?.querySelector<HTMLElement>("input[type=checkbox]")?.click();
  else return;
  event.preventDefault();
}

export function Keys() {
  useEffect(() => {
    document.addEventListener("keydown", pressing);
    return () => document.removeEventListener("keydown", pressing);
  }, []);
  if (!help.value) return null;
  const close = (): void => {
    help.value = false;
  };
  return (
    <Dialog title="Keys" close={close}>
      <form onSubmit={(event) => (event.preventDefault(), close())}>
        <h1>Keys</h1>
        <dl class="keys">
          {KEYS.map(([key, words]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{words}</dd>
            </div>
          ))}
        </dl>
        <footer>
          <button type="submit" class="main" autofocus>
            Close
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
