/** What can be done to a watcher, in the order in which it is offered. */
import type { Order } from "./orders";

export interface Act extends Order {
  key: string;
}

export const START: Act = { key: "start", verb: "Start", command: "start", properties: { waiting: true } };
export const STOP: Act = {
  key: "stop",
  verb: "Stop",
  command: "stop",
  properties: { waiting: true },
  hurts: "All its processes end, and none comes back until somebody starts it again.",
};
export const RESTART: Act = {
  key: "restart",
  verb: "Restart",
  command: "restart",
  properties: { waiting: true },
  hurts: "All processes end before new ones start, so there is a gap. A rolling reload has none.",
};
export const RELOAD: Act = { key: "reload", verb: "Reload", command: "reload", properties: { waiting: true } };
export const MORE: Act = { key: "incr", verb: "One more", command: "incr", properties: { nb: 1, waiting: true } };
export const FEWER: Act = {
  key: "decr",
  verb: "One fewer",
  command: "decr",
  properties: { nb: 1, waiting: true },
  hurts: "The oldest process ends.",
};
export const REMOVE: Act = {
  key: "rm",
  verb: "Remove",
  command: "rm",
  properties: { waiting: true },
  hurts: "It is stopped and forgotten. Only the configuration can bring it back.",
};

export const ACTS: readonly Act[] = [START, RELOAD, RESTART, STOP, MORE, FEWER];

/** Signals that people send; those that end a process are asked about. */
export const SIGNALS = ["HUP", "USR1", "USR2", "INT", "QUIT", "TERM", "KILL", "STOP", "CONT", "WINCH"] as const;
const GENTLE = new Set(["HUP", "USR1", "USR2", "CONT", "WINCH"]);

export function signalled(name: string, pid?: number): Order {
  return {
    verb: `Send SIG${name} to ${pid === undefined ? "every process of" : `${pid} of`}`,
    command: "signal",
    properties: { signum: name, ...(pid === undefined ? {} : { pid }) },
    ...(GENTLE.has(name) ? {} : { hurts: `SIG${name} may end or halt what runs.` }),
  };
}

export function killed(pid: number): Order {
  return {
    verb: `End process ${pid} of`,
    command: "kill",
    properties: { pid, waiting: true },
    hurts: "It is asked to stop, and killed if it takes too long. Another one takes its place.",
  };
}
