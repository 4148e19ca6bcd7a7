/** Every watcher, those that fare badly first, with what it costs; and what can be done to many at once. */
import { useEffect, useRef } from "preact/hooks";
import { Buttons, Signals } from "../parts/actions";
import { Heading } from "../parts/heading";
import { busy } from "../parts/keys";
import { narrow } from "../parts/wide";
import { reveal, Rows } from "../parts/rows";
import { list, selected, selection, sortBy, wish } from "../store/choice";
import { picture } from "../store/console";
import { counts, type Column } from "../store/listing";
import { may } from "../store/roles";
import { count } from "../words/format";
import { Host } from "./host";
import { Row } from "./row";
import { Filters } from "./filters";

const COLUMNS: readonly [Column, string, boolean][] = [
  ["name", "Watcher", false],
  ["mood", "State", false],
  ["up", "Processes", true],
  ["since", "Up for", true],
  ["restarts", "Restarts", true],
  ["cpu", "CPU", true],
  ["memory", "Memory", true],
];

export function Overview() {
  const shown = list.value;
  const height = narrow.value ? 76 : 48;
  const rows = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const keys = (event: KeyboardEvent): void => {
      const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
      if (step === undefined || busy(event)) return;
      event.preventDefault();
      moved(rows.current!, list.peek().map((each) => each.name), step, height);
    };
    document.addEventListener("keydown", keys);
    return () => document.removeEventListener("keydown", keys);
  }, [height]);

  return (
    <div class="page watchers">
      <h1 class="unseen">Watchers</h1>
      <Host />
      <Filters />
      {selection.value.length > 0 && <Bulk />}
      <div class="card table" role="table" aria-label="Watchers" aria-rowcount={shown.length + 1} ref={rows}>
        <div role="rowgroup">
          <div class="head" role="row">
            <div role="columnheader">
              <All />
            </div>
            {COLUMNS.map(([column, words, number]) => (
              <Heading
                key={column}
                words={words}
                number={number}
                sorted={wish.value.column === column ? (wish.value.down ? "down" : "up") : ""}
                turn={() => sortBy(column)}
              />
            ))}
            <div role="columnheader">
              <span class="unseen">Actions</span>
            </div>
          </div>
        </div>
        {shown.length > 0 ? (
          <Rows count={shown.length} height={height} row={(index) => <Row key={shown[index]!.name} watcher={shown[index]!} top={index * height} index={index} />} />
        ) : (
          <Nothing />
        )}
      </div>
    </div>
  );
}

/** Move the focus from one watcher to another, also to one that is not drawn yet. */
function moved(table: HTMLElement, names: string[], step: number, height: number): void {
  const current = document.activeElement?.closest<HTMLElement>("[data-name]")?.dataset["name"];
  const list = table.querySelector<HTMLElement>(".rows");
  if (!list) return;
  const next = Math.max(0, Math.min(names.length - 1, current === undefined ? 0 : names.indexOf(current) + step));
  reveal(list, next, height);
  const focus = (): boolean => {
    const rows = table.querySelectorAll<HTMLElement>("[data-name]");
    const link = [...rows].find((each) => each.dataset["name"] === names[next])?.querySelector<HTMLElement>("a");
    link?.focus({ preventScroll: true });
    return link !== null && link !== undefined;
  };
  if (!focus()) requestAnimationFrame(focus);
}

function All() {
  const shown = list.value;
  const every = shown.length > 0 && shown.every((each) => selected.value.has(each.name));
  const turn = (): void => {
    selected.value = every ? new Set() : new Set(shown.map((each) => each.name));
  };
  return <input type="checkbox" aria-label="Select all that are listed" checked={every} onChange={turn} />;
}

function Bulk() {
  const names = selection.value;
  return (
    <div class="card bulk" role="toolbar" aria-label="Actions for what is selected">
      <div class="body flow">
        <strong>{count(names.length, "watcher")} selected</strong>
        <Buttons names={names} />
        <Signals names={names} />
        <span class="grow" />
        <button class="plain" onClick={() => (selected.value = new Set())}>
          Clear
        </button>
      </div>
    </div>
  );
}

function Nothing() {
  const any = Object.values(counts(picture.value.watchers.values(), wish.value)).some(Boolean);
  if (!any) {
    return (
      <div class="empty">
        {picture.value.at ? "There is no watcher yet. " : "Waiting for circusd … "}
        {picture.value.at && may("add") ? <a href="#/new">Add one</a> : null}
      </div>
    );
  }
  return <div class="empty">No watcher is like that. Clear the search and the filters to see all.</div>;
}

