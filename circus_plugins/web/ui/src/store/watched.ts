/** The one watcher that is looked at closely: its processes and what `status` says. Pure functions. */
import type { Details, Point, ProcessesTold, ProcessTold, WatcherTold } from "../wire/types";
import { appended, joined } from "./picture";

/** There may be thousands of processes, and each has a small line only. */
export const KEPT = 90;

export type Process = Omit<ProcessTold, "past"> & { past: readonly Point[] };

export interface Watched {
  name: string;
  /** When it was told, by the browser's clock; countdowns begin there. */
  heard: number;
  details: Details;
  processes: ReadonlyMap<number, Process>;
}

export function watcher(before: Watched | null, told: WatcherTold, now: number): Watched {
  const known = before?.name === told.name ? before.processes : new Map<number, Process>();
  const processes = new Map<number, Process>();
  for (const each of told.processes) {
    const past = known.get(each.pid)?.past ?? [];
    processes.set(each.pid, { ...each, past: joined(past, each.past ?? [], KEPT) });
  }
  return { name: told.name, heard: now, details: told.details, processes };
}

export function processes(before: Watched | null, told: ProcessesTold): Watched | null {
  if (before?.name !== told.name) return before;
  const all = new Map(before.processes);
  for (const [pid, cpu, memory] of told.rows) {
    const known = all.get(pid);
    if (known) all.set(pid, { ...known, cpu, memory, past: appended(known.past, [told.at, cpu, memory], KEPT) });
  }
  return { ...before, processes: all };
}
