import { expect, test } from "vitest";
import type { RowTold, Snapshot } from "../wire/types";
import { appended, figures, joined, KEPT, NOTHING, rows, snapshot } from "./picture";

const row = (id: number, name: string, more: Partial<RowTold> = {}): RowTold => ({
  id, name, state: "active", mood: "good", wanted: 1, up: 1, ready: 1, restarts: 0, since: 90, trouble: "", plugin: false, cpu: null, memory: null, ...more,
});

const told = (watchers: RowTold[], at = 100): Snapshot => ({
  at,
  problem: "",
  circusd: { pid: 1, version: "1", cpu: 1, memory: 2 },
  machine: { cpus: 2, load: [1, 1, 1], memory_used: 1, memory_total: 2 },
  watchers,
  sockets: [{ fd: 5, name: "web", address: "localhost:80", waiting: 0, limit: 9, dropped: 0, watchers: ["web"], pids: [], past: [] }],
});

test("a snapshot tells all, and how far the server's clock is ahead", () => {
  const picture = snapshot(NOTHING, told([row(1, "web", { past: [[99, 3, 4]] })]), 98);
  expect(picture.ahead).toBe(2);
  expect(picture.watchers.get("web")?.past).toEqual([[99, 3, 4]]);
});

test("figures are appended to the past of the watcher with that number; what is not told has not changed", () => {
  const before = snapshot(NOTHING, told([row(1, "web"), row(2, "worker")]), 100);
  const after = figures(before, { at: 101, machine: null, circusd: [5, 6], rows: [[2, 7, 8], [99, 1, 1]], sockets: [[5, 3]] });
  expect(after.watchers.get("worker")).toMatchObject({ cpu: 7, memory: 8, past: [[101, 7, 8]] });
  expect(after.watchers.get("web")).toBe(before.watchers.get("web"));
  expect(after.circusd).toMatchObject({ cpu: 5, memory: 6, pid: 1 });
  expect(after.sockets.get(5)).toMatchObject({ waiting: 3, past: [[101, 3]] });
  expect(before.watchers.get("worker")?.past).toEqual([]);
  const later = figures(after, { at: 102, machine: null, circusd: null, rows: [], sockets: [] });
  expect(later.watchers.get("worker")?.past.at(-1)).toEqual([102, 7, 8]);
  expect(later.sockets.get(5)?.past.at(-1)).toEqual([102, 3]);
});

test("rows change and go, and keep their past and last figures", () => {
  let picture = snapshot(NOTHING, told([row(1, "web"), row(2, "worker")]), 100);
  picture = figures(picture, { at: 101, machine: null, circusd: null, rows: [[1, 7, 8]], sockets: [] });
  const { cpu: _cpu, memory: _memory, ...rest } = row(1, "web", { state: "stopped", mood: "off" });
  picture = rows(picture, { at: 102, rows: [rest as RowTold, row(3, "new")], gone: [2] });
  expect([...picture.watchers.keys()]).toEqual(["web", "new"]);
  expect(picture.watchers.get("web")).toMatchObject({ state: "stopped", cpu: 7, memory: 8, past: [[101, 7, 8]] });
});

test("after a lost connection the graph goes on: older points stay, and each moment is there once", () => {
  let picture = snapshot(NOTHING, told([row(1, "web", { past: [[97, 1, 1], [98, 2, 2], [99, 3, 3]] })]), 100);
  picture = snapshot(picture, told([row(7, "web", { past: [[98, 2, 2], [99, 3, 3], [104, 4, 4]] })], 105), 105);
  expect(picture.watchers.get("web")?.past.map(([at]) => at)).toEqual([97, 98, 99, 104]);
  picture = figures(picture, { at: 106, machine: null, circusd: null, rows: [[7, 5, 5]], sockets: [] });
  expect(picture.watchers.get("web")?.past.at(-1)).toEqual([106, 5, 5]);
});

test("a past has an end", () => {
  let past: readonly (readonly [number, number])[] = [];
  for (let at = 0; at < KEPT + 50; at += 1) past = appended(past, [at, 0] as const);
  expect(past).toHaveLength(KEPT);
  expect(past[0]).toEqual([50, 0]);
  expect(joined(past, [[KEPT + 50, 1] as const])).toHaveLength(KEPT);
});
