/** The picture of a circusd, and what each message makes of it. Pure functions; a picture is never changed. */
import type { Circusd, Figures, Machine, Point, RowsTold, RowTold, Snapshot, SocketTold } from "../wire/types";

/** How many points of the past are kept of each watcher. */
export const KEPT = 600;

export type Watcher = Omit<RowTold, "past"> & { past: readonly Point[] };
export type Socket = Omit<SocketTold, "past"> & { past: readonly (readonly [number, number])[] };

export interface Picture {
  at: number;
  /** Seconds that the server's clock is ahead of the browser's. */
  ahead: number;
  circusd: Circusd | null;
  machine: Machine | null;
  watchers: ReadonlyMap<string, Watcher>;
  names: ReadonlyMap<number, string>;
  sockets: ReadonlyMap<number, Socket>;
}

export const NOTHING: Picture = {
  at: 0,
  ahead: 0,
  circusd: null,
  machine: null,
  watchers: new Map(),
  names: new Map(),
  sockets: new Map(),
};

/** Older and newer points as one past, each moment once; what was known is kept where the newer ones begin later. */
export function joined<P extends readonly [number, ...number[]]>(before: readonly P[], after: readonly P[], kept = KEPT): readonly P[] {
  const first = after[0]?.[0] ?? Infinity;
  const older = before.filter(([at]) => at < first);
  return [...older, ...after].slice(-kept);
}

export function appended<P>(past: readonly P[], point: P, kept = KEPT): readonly P[] {
  return past.length < kept ? [...past, point] : [...past.slice(1 - kept), point];
}

/** All there is, told after each connection. The past of watchers that go on stays. */
export function snapshot(before: Picture, told: Snapshot, now: number): Picture {
  const watchers = new Map<string, Watcher>();
  for (const row of told.watchers) {
    watchers.set(row.name, { ...row, past: joined(before.watchers.get(row.name)?.past ?? [], row.past ?? []) });
  }
  const sockets = new Map<number, Socket>();
  for (const each of told.sockets) {
    const known = before.sockets.get(each.fd);
    const past = known?.name === each.name ? known.past : [];
    sockets.set(each.fd, { ...each, past: joined(past, each.past ?? []) });
  }
  return {
    at: told.at,
    ahead: told.at - now,
    circusd: told.circusd,
    machine: told.machine,
    watchers,
    names: new Map(told.watchers.map((row) => [row.id, row.name])),
    sockets,
  };
}

/** Watchers that changed, came or went. */
export function rows(before: Picture, told: RowsTold): Picture {
  const watchers = new Map(before.watchers);
  const names = new Map(before.names);
  for (const id of told.gone) {
    const name = names.get(id);
    names.delete(id);
    if (name !== undefined) watchers.delete(name);
  }
  for (const row of told.rows) {
    const known = watchers.get(row.name);
    names.set(row.id, row.name);
    // Of one that has not been measured since, the last figures still hold.
    const { cpu = known?.cpu ?? null, memory = known?.memory ?? null } = row;
    watchers.set(row.name, { ...row, cpu, memory, past: known?.past ?? row.past ?? [] });
  }
  return { ...before, at: told.at, watchers, names };
}

/** What it all costs now. */
export function figures(before: Picture, told: Figures): Picture {
  // What is not told has not changed, and is a point of the graph all the same.
  const changed = new Map(told.rows.map(([id, cpu, memory]) => [before.names.get(id), [cpu, memory] as const]));
  const watchers = new Map<string, Watcher>();
  for (const [name, known] of before.watchers) {
    const [cpu, memory] = changed.get(name) ?? [known.cpu, known.memory];
    const measured = cpu !== null && memory !== null;
    watchers.set(name, measured ? { ...known, cpu, memory, past: appended(known.past, [told.at, cpu, memory]) } : known);
  }
  const waits = new Map(told.sockets);
  const sockets = new Map<number, Socket>();
  for (const [fd, known] of before.sockets) {
    const waiting = waits.get(fd) ?? known.waiting;
    sockets.set(fd, waiting === null ? known : { ...known, waiting, past: appended(known.past, [told.at, waiting]) });
  }
  const [cpu, memory] = told.circusd ?? [before.circusd?.cpu ?? null, before.circusd?.memory ?? null];
  return {
    ...before,
    at: told.at,
    machine: told.machine ?? before.machine,
    circusd: before.circusd && { ...before.circusd, cpu, memory },
    watchers,
    sockets,
  };
}
