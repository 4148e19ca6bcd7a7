import { describe, expect, test } from "vitest";
import type { CommandTold, EventTold, Hello, LineTold } from "../wire/types";
import { added, EMPTY, found, KEPT as LINES } from "./output";
import { chosen, density, KEPT as EVENTS, merged } from "./happened";
import { counts, listed, WISH } from "./listing";
import type { Watcher } from "./picture";
import { allowed } from "./roles";
import { parsed, to } from "./route";
import { processes, watcher as told } from "./watched";

const event = (seq: number, more: Partial<EventTold> = {}): EventTold => ({ event: "process_spawned", seq, at: seq, run: "a", ...more });

describe("events", () => {
  test("are in order and each once, however they come", () => {
    const all = merged(merged([], [event(3), event(4)]), [event(1), event(2), event(3)]);
    expect(all.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  test("of another run come after those of the one before, though seq begins anew", () => {
    const all = merged([event(9)], [event(1, { run: "b", at: 10 })]);
    expect(all.map(({ run }) => run)).toEqual(["a", "b"]);
  });

  test("are bounded, the newest stay", () => {
    const all = merged([], Array.from({ length: EVENTS + 10 }, (_, seq) => event(seq + 1)));
    expect(all).toHaveLength(EVENTS);
    expect(all[0]?.seq).toBe(11);
  });

  test("are chosen by watcher, kind and words", () => {
    const all = [event(1, { watcher: "web" }), event(2, { watcher: "worker", event: "process_exited" })];
    expect(chosen(all, "web", "", "")).toEqual([all[0]]);
    expect(chosen(all, "", "process_exited", "")).toEqual([all[1]]);
    expect(chosen(all, "", "", "WORK exit")).toEqual([all[1]]);
  });

  test("are counted by time", () => {
    expect(density([event(0), event(5), event(10)], 0, 10, 2)).toEqual([1, 2]);
  });
});

const line = (text: string): LineTold => ({ at: 1, watcher: "web", wid: 1, pid: 2, stream: "stdout", text });

describe("output", () => {
  test("is bounded by lines and by size, and what was lost is counted", () => {
    const many = added(EMPTY, { name: "web", lines: Array.from({ length: LINES + 5 }, (_, n) => line(String(n))), lost: 2 });
    expect(many.lines).toHaveLength(LINES);
    expect(many.lines[0]?.text).toBe("5");
    const long = added(many, { name: "web", lines: Array.from({ length: 30 }, () => line("x".repeat(1_000_000))), lost: 1 });
    expect(long.size).toBeLessThanOrEqual(20_000_000);
    expect(long.lines.reduce((sum, each) => sum + each.text.length, 0)).toBe(long.size);
    expect(long.lost).toBe(3);
    expect(new Set(long.lines.map(({ key }) => key)).size).toBe(long.lines.length);
  });

  test("is searched in any case", () => {
    const { lines } = added(EMPTY, { name: "web", lines: [line("Error: x"), line("fine")], lost: 0 });
    expect(found(lines, "error").map(({ text }) => text)).toEqual(["Error: x"]);
  });
});

const watcher = (name: string, more: Partial<Watcher> = {}): Watcher => ({
  id: 1, name, state: "active", mood: "good", wanted: 1, up: 1, ready: 1, restarts: 0, since: 5, trouble: "", plugin: false, cpu: 0, memory: 0, past: [], ...more,
});

describe("the list", () => {
  const all = [
    watcher("web10"),
    watcher("web2", { cpu: 50 }),
    watcher("old", { mood: "off", state: "stopped" }),
    watcher("sick", { mood: "bad", trouble: "gave up: exit status 3" }),
    watcher("plugin:stats", { plugin: true }),
  ];

  test("has those that fare badly first, names as people count, plugins only if wanted", () => {
    expect(listed(all, WISH).map(({ name }) => name)).toEqual(["sick", "web2", "web10", "old"]);
    expect(listed(all, { ...WISH, plugins: true })).toHaveLength(5);
  });

  test("is sorted by a column, also the other way round", () => {
    expect(listed(all, { ...WISH, column: "cpu", down: true })[0]?.name).toBe("web2");
    expect(listed(all, { ...WISH, column: "name" })[0]?.name).toBe("old");
  });

  test("is searched in names, states and troubles, and filtered by mood", () => {
    expect(listed(all, { ...WISH, words: "gave status" }).map(({ name }) => name)).toEqual(["sick"]);
    expect(listed(all, { ...WISH, moods: new Set(["off"]) }).map(({ name }) => name)).toEqual(["old"]);
    expect(counts(all, WISH)).toEqual({ bad: 1, busy: 0, good: 2, off: 1 });
    expect(counts(all, { ...WISH, plugins: true }).good).toBe(3);
  });

  test("of a thousand takes no time that anybody sees", () => {
    const many = Array.from({ length: 1_000 }, (_, n) => watcher(`watcher-${n}`));
    const begun = performance.now();
    listed(many, { ...WISH, words: "watch" });
    expect(performance.now() - begun).toBeLessThan(1_000);
  });
});

test("a role may do its commands and those below; who may only look, only looks", () => {
  const commands: CommandTold[] = [
    { name: "status", role: "view", summary: "", waits: false },
    { name: "stop", role: "operate", summary: "", waits: true },
    { name: "set", role: "admin", summary: "", waits: true },
  ];
  const hello: Hello = { version: "1", host: "h", user: "u", role: "operate", read_only: false, commands };
  expect([...allowed(hello).keys()]).toEqual(["status", "stop"]);
  expect([...allowed({ ...hello, role: "admin", read_only: true }).keys()]).toEqual(["status"]);
  expect(allowed(null).size).toBe(0);
});

test("addresses lead to pages and back, whatever a name has in it", () => {
  expect(parsed("")).toEqual({ page: "overview" });
  expect(parsed(to("w", "a/b c%"))).toEqual({ page: "watcher", name: "a/b c%" });
  expect(parsed(to("w", "web", "edit"))).toEqual({ page: "edit", name: "web" });
  expect(parsed(to("logs"))).toEqual({ page: "logs", name: "" });
  expect(parsed("#/w/%zz")).toEqual({ page: "watcher", name: "%zz" });
  expect(parsed("#/nowhere")).toEqual({ page: "unknown" });
});

test("a process that is told again keeps its past", () => {
  const details = { state: "active", numprocesses: 1, restarts: 0, waiting: [], gave_up: [], last_error: "", last_exit: null, last_words: [], operation: null };
  const one = { pid: 7, wid: 1, state: "ready", since: 1, restarts: 0, cpu: null, memory: null };
  let watched = told(null, { name: "web", details, processes: [one] }, 10);
  watched = processes(watched, { name: "web", at: 11, rows: [[7, 1, 2], [8, 1, 1]] })!;
  watched = told(watched, { name: "web", details, processes: [{ ...one, state: "stopping" }] }, 12);
  expect(watched.processes.get(7)).toMatchObject({ state: "stopping", past: [[11, 1, 2]] });
  expect(processes(watched, { name: "other", at: 13, rows: [[7, 9, 9]] })).toBe(watched);
});
