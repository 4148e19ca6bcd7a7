/** What is chosen on the overview: how watchers are listed, and which are selected. It outlives the page. */
import { computed, signal } from "@preact/signals";
import { picture } from "./console";
import { listed, WISH, type Column } from "./listing";

export const wish = signal(WISH);
export const selected = signal<ReadonlySet<string>>(new Set());

export const list = computed(() => listed(picture.value.watchers.values(), wish.value));

/** Of the selected ones those that still exist. */
export const selection = computed(() => [...selected.value].filter((name) => picture.value.watchers.has(name)));

const FALLING: ReadonlySet<Column> = new Set(["cpu", "memory", "restarts", "up"]);

/** Sort by a column; once more turns the order round. */
export function sortBy(column: Column): void {
  const before = wish.value;
  const down = before.column === column ? !before.down : FALLING.has(column);
  wish.value = { ...before, column, down };
}

export function select(name: string, on: boolean): void {
  const names = new Set(selected.value);
  if (on) names.add(name);
  else names.delete(name);
  selected.value = names;
}
