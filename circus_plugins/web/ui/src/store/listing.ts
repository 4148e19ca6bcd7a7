/** Which watchers are listed, and in which order. Pure functions. */
import type { Mood } from "../wire/types";
import type { Watcher } from "./picture";

export type Column = "mood" | "name" | "state" | "up" | "since" | "restarts" | "cpu" | "memory";

export interface Wish {
  words: string;
  moods: ReadonlySet<Mood>;
  column: Column;
  down: boolean;
  plugins: boolean;
}

export const WISH: Wish = { words: "", moods: new Set(), column: "mood", down: false, plugins: false };

const WORST: Record<Mood, number> = { bad: 0, busy: 1, good: 2, off: 3 };

const KEYS: Record<Column, (watcher: Watcher) => number | string> = {
  mood: (watcher) => (watcher.trouble && watcher.mood === "good" ? 1.5 : WORST[watcher.mood]),
  name: (watcher) => watcher.name,
  state: (watcher) => watcher.state,
  up: (watcher) => watcher.up,
  since: (watcher) => -(watcher.since ?? Infinity),
  restarts: (watcher) => watcher.restarts,
  cpu: (watcher) => watcher.cpu ?? -1,
  memory: (watcher) => watcher.memory ?? -1,
};

const names = new Intl.Collator("en", { numeric: true });

export function listed(watchers: Iterable<Watcher>, wish: Wish): Watcher[] {
  const words = wish.words.toLowerCase().split(/\s+/).filter(Boolean);
  const key = KEYS[wish.column];
  const turn = wish.down ? -1 : 1;
  const chosen = [...watchers]
    .filter((watcher) => belongs(watcher, wish))
    .filter((watcher) => !wish.moods.size || wish.moods.has(watcher.mood))
    .filter((watcher) => {
      const text = `${watcher.name} ${watcher.state} ${watcher.trouble}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  // Each key is found once, and not at each comparison.
  return chosen
    .map((watcher) => [key(watcher), watcher] as const)
    .sort(([a, one], [b, other]) => turn * compared(a, b) || names.compare(one.name, other.name))
    .map(([, watcher]) => watcher);
}

function compared(a: number | string, b: number | string): number {
  if (typeof a === "string" && typeof b === "string") return names.compare(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether one is listed at all: those of plugins are if somebody wants them, or if one fares badly. */
function belongs(watcher: Watcher, wish: Wish): boolean {
  return wish.plugins || !watcher.plugin || watcher.mood === "bad";
}

/** How many there are of each mood. */
export function counts(watchers: Iterable<Watcher>, wish: Wish): Record<Mood, number> {
  const found = { bad: 0, busy: 0, good: 0, off: 0 };
  for (const watcher of watchers) if (belongs(watcher, wish)) found[watcher.mood] += 1;
  return found;
}
