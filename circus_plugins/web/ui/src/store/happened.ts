/** The events that the browser keeps: in order, each once, and no more than KEPT. Pure functions. */
import type { EventTold } from "../wire/types";

export const KEPT = 5_000;

/** Two lists of events as one, oldest first. Of another run of circusd, seq begins anew; the time orders them. */
export function merged(before: readonly EventTold[], told: readonly EventTold[]): readonly EventTold[] {
  const last = before.at(-1);
  // Nearly always they are simply the next ones.
  const next = !last || told.every((each) => each.run === last.run && each.seq > last.seq);
  const all = next ? [...before, ...told] : ordered([...before, ...told]);
  return all.slice(-KEPT);
}

function ordered(events: EventTold[]): EventTold[] {
  const once = new Map(events.map((each) => [`${each.run} ${each.seq}`, each]));
  return [...once.values()].sort((a, b) => (a.run === b.run ? a.seq - b.seq : a.at - b.at));
}

/** Those that have to do with a watcher, are of a kind, and have all the words in them. */
export function chosen(events: readonly EventTold[], watcher: string, kind: string, words: string): readonly EventTold[] {
  const needed = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (!watcher && !kind && !needed.length) return events;
  return events.filter((event) => {
    if (watcher && event.watcher !== watcher) return false;
    if (kind && event.event !== kind) return false;
    if (!needed.length) return true;
    const text = JSON.stringify(event).toLowerCase();
    return needed.every((word) => text.includes(word));
  });
}

/** How many events there were in each of `slots` equal parts of the time from `from` to `to`. */
export function density(events: readonly EventTold[], from: number, to: number, slots: number): number[] {
  const counts = new Array<number>(slots).fill(0);
  for (const { at } of events) {
    const slot = Math.floor(((at - from) / (to - from)) * slots);
    if (slot >= 0 && slot <= slots) counts[Math.min(slot, slots - 1)]! += 1;
  }
  return counts;
}
