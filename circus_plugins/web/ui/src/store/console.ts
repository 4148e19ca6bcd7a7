/** The one store: what the server tells goes through pure functions into signals, and pages only read them. */
import { signal } from "@preact/signals";
import { connected, heard, request } from "../wire/connection";
import type { EventTold, Figures, Hello, OutputTold, ProcessesTold, RowsTold, Snapshot, WatcherTold } from "../wire/types";
import { merged } from "./happened";
import { added, EMPTY, type Output } from "./output";
import { figures, NOTHING, rows, snapshot } from "./picture";
import { processes, watcher, type Watched } from "./watched";

export const hello = signal<Hello | null>(null);
export const picture = signal(NOTHING);
/** Why circusd is not heard, and since when; empty words if it is. */
export const problem = signal({ words: "", since: 0 });
export const events = signal<readonly EventTold[]>([]);
export const watched = signal<Watched | null>(null);
export const output = signal<Output>(EMPTY);
/** Seconds since the epoch, once a second: ages and countdowns follow it. */
export const now = signal(Date.now() / 1000);

let watching = "";
let following: Follow | null = null;

export interface Follow {
  name: string;
  stream: string;
  wid: number | null;
  lines: number;
}

heard<Hello>("hello", (told) => (hello.value = told));
heard<Snapshot>("snapshot", (told) => {
  picture.value = snapshot(picture.value, told, Date.now() / 1000);
  tells(told.problem);
});
heard<RowsTold>("rows", (told) => (picture.value = rows(picture.value, told)));
heard<Figures>("figures", (told) => (picture.value = figures(picture.value, told)));
heard<{ words: string }>("problem", (told) => tells(told.words));
heard<EventTold[]>("event", (told) => (events.value = merged(events.value, told)));
heard<WatcherTold>("watcher", (told) => {
  if (told.name === watching) watched.value = watcher(watched.value, told, Date.now() / 1000);
});
heard<ProcessesTold>("processes", (told) => (watched.value = processes(watched.value, told)));
heard<OutputTold>("output", (told) => {
  if (told.name === following?.name) output.value = added(output.value, told);
});

// What was asked for on the connection before is asked for on the new one.
connected(() => {
  if (watching) void request("watch", { name: watching });
  if (following) void request("follow", { ...following, lines: 0 });
  void older(null);
});

function tells(words: string): void {
  const before = problem.value;
  problem.value = { words, since: words && before.words ? before.since : Date.now() / 1000 };
}

/** Look at one watcher closely, and at no other. */
export function watch(name: string): () => void {
  watching = name;
  watched.value = null;
  void request("watch", { name });
  return () => {
    if (watching !== name) return;
    watching = "";
    void request("unwatch");
  };
}

/** Follow the output of one watcher, or of all if the name is empty. */
export function follow(wanted: Follow): () => void {
  following = wanted;
  output.value = EMPTY;
  void request("follow", wanted);
  return () => {
    if (following !== wanted) return;
    following = null;
    void request("unfollow");
  };
}

/** Get events from before the one with that seq, or the latest; answers whether there may be more. */
export async function older(before: number | null): Promise<boolean> {
  const answer = await request("events", { before, limit: 250 });
  if (!answer.ok) return false;
  const told = answer["events"] as EventTold[];
  events.value = merged(events.value, told);
  return told.length > 0 && told[0]!.seq > 1;
}

let ticking: ReturnType<typeof setInterval> | undefined;

/** Nothing ticks in a page that nobody sees. */
function tick(): void {
  clearInterval(ticking);
  now.value = Date.now() / 1000;
  if (!document.hidden) ticking = setInterval(() => (now.value = Date.now() / 1000), 1_000);
}
document.addEventListener("visibilitychange", tick);
tick();
