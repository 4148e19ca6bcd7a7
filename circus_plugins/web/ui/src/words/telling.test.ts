import { expect, test } from "vitest";
import { awaited, ending, mood, reasons, spoken, words } from "./telling";

const event = (name: string, more = {}) => ({ event: name, seq: 1, at: 1, ...more });

test("an event looks as what it means", () => {
  expect(mood(event("watcher_gave_up"))).toBe("bad");
  expect(mood(event("process_exited", { requested: true, exit_code: 1 }))).toBe("off");
  expect(mood(event("process_exited", { exit_code: 3 }))).toBe("bad");
  expect(mood(event("process_ready"))).toBe("good");
  expect(mood(event("process_unready"))).toBe("bad");
});

test("an event is told in words", () => {
  expect(spoken("process_exited")).toBe("process exited");
  expect(words(event("process_exited", { process_pid: 7, wid: 1, exit_code: 3, age: 61, peak_memory: 1024 }))).toBe(
    "pid 7 (wid 1): exit status 3, after 1 m 1 s, at most 1.0 KB",
  );
  expect(words(event("process_exited", { process_pid: 7, wid: 1, exit_code: 3, age: 61, peak_memory: null }))).toBe(
    "pid 7 (wid 1): exit status 3, after 1 m 1 s",
  );
  expect(words(event("watcher_gave_up", { reason: "it died", last: true, last_words: ["x"] }))).toBe("it died");
  expect(words(event("signal_sent", { pid: 7, wid: 1, signum: 15 }))).toBe("pid 7 (wid 1), SIGTERM");
  expect(words(event("restart_delayed", { delay: 1.8169874 }))).toBe("delay 1.82");
  expect(words(event("something_new", { some_field: [1, 2], nothing: null }))).toBe("some field 1 2");
});

test("an exit is told in words", () => {
  expect(ending({ exit_code: 3 })).toBe("exit status 3");
  expect(ending({ signal: 11, signal_name: "SIGSEGV" })).toBe("killed by SIGSEGV");
  expect(ending({ signal: 40 })).toBe("killed by signal 40");
  expect(ending({ exit_code: -9 })).toBe("killed by SIGKILL");
});

test("the next try is counted down to", () => {
  expect(awaited(null, 10)).toBe("");
  expect(awaited(12.5, 10)).toBe("next try in 3 s: ");
  expect(awaited(9, 10)).toBe("next try: ");
});

test("a watcher is down for reasons", () => {
  expect(reasons({ gave_up: [{ wid: 2, reason: "no such file" }], last_error: "x", last_exit: null, state: "active" })).toEqual([
    "Process 2 was given up: no such file",
    "x",
  ]);
  expect(reasons({ gave_up: [{ wid: 1, reason: "x" }], last_error: "x", last_exit: null, state: "active" })).toEqual(["Process 1 was given up: x"]);
});
