/** Events and exits in words. Pure functions. */
import type { EventTold, Exit, Mood } from "../wire/types";
import { bytes, span, value } from "./format";
import { signalName } from "./signals";

// What lines of one event need not repeat, or are too long for.
const ENVELOPE = new Set(["reason", "last", "last_words", "event", "seq", "at", "time", "run", "host", "watcher", "wid", "pid", "process_pid", "topic"]);

/** How an event looks: what went wrong is bad, what ends or changes is busy or off. */
export function mood(event: EventTold): Mood {
  const { event: name } = event;
  if (/gave_up|failed|vetoed|lost|unready/.test(name)) return "bad";
  if (name === "process_exited") return event["requested"] ? "off" : event["exit_code"] === 0 ? "busy" : "bad";
  if (/delayed|signaled|signal_sent|stopping|called_off/.test(name)) return "busy";
  if (/ready|started|spawned|succeeded|added/.test(name)) return "good";
  return "off";
}

/** `process_exited` as `process exited`. */
export const spoken = (name: string): string => name.replaceAll("_", " ");

/** How a process ended: `exit status 3`, `killed by SIGSEGV`. */
export function ending(exit: { exit_code?: unknown; signal?: unknown; signal_name?: unknown }): string {
  if (exit.signal !== undefined && exit.signal !== null) return `killed by ${exit.signal_name ?? signalName(Number(exit.signal))}`;
  const code = Number(exit.exit_code ?? 0);
  return code < 0 ? `killed by ${signalName(-code)}` : `exit status ${code}`;
}

/** What an event says besides its name and its watcher. */
export function words(event: EventTold): string {
  const pid = event["process_pid"] ?? event["pid"];
  const who = pid === undefined ? "" : `pid ${pid}${event.wid === undefined ? "" : ` (wid ${event.wid})`}`;
  if (event.event === "process_exited") {
    const exit = ending(event as unknown as Exit);
    const asked = event["requested"] ? ", as ordered" : "";
    const most = typeof event["peak_memory"] === "number" ? `, at most ${bytes(event["peak_memory"])}` : "";
    return `${who}: ${exit}${asked}, after ${span(event["age"] as number)}${most}`;
  }
  const rest = Object.entries(event).filter(([name, each]) => !ENVELOPE.has(name) && each !== null && value(each) !== "");
  const reason = typeof event["reason"] === "string" ? event["reason"] : "";
  return [who, reason, ...rest.map(([name, each]) => field(name, each))].filter(Boolean).join(", ");
}

/** The state of a watcher in a word: one that was given up is active to circusd, and that is not what anybody would say. */
export const told = ({ mood, state }: { mood: Mood; state: string }): string => (mood === "bad" ? "gave up" : state || "seen");

/** How long the next try is off, before why: `next try in 3 s: `. */
export function awaited(retry: number | null | undefined, now: number): string {
  if (!retry) return "";
  return retry > now ? `next try in ${span(Math.ceil(retry - now))}: ` : "next try: ";
}

function field(name: string, each: unknown): string {
  if (typeof each !== "number") return `${spoken(name)} ${value(each)}`;
  return name === "signum" ? signalName(each) : `${spoken(name)} ${Math.round(each * 100) / 100}`;
}

/** Why a watcher is down, from what `status` says: each reason in one line. */
export function reasons(details: {
  gave_up: { wid: number; reason: string }[];
  last_error: string;
  last_exit: Exit | null;
  state: string;
}): string[] {
  const gave = details.gave_up.map((slot) => `Process ${slot.wid} was given up: ${slot.reason}`);
  const told = details.gave_up.some((slot) => slot.reason === details.last_error);
  const error = details.last_error && !told ? [details.last_error] : [];
  return [...gave, ...error];
}
