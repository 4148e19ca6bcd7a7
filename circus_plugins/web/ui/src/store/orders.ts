/** Everything that somebody orders here: asked about where it hurts, done, and told of as it goes on. */
import { signal } from "@preact/signals";
import { call } from "../wire/connection";
import { count } from "../words/format";

export interface Toast {
  key: number;
  kind: "busy" | "good" | "bad";
  title: string;
  words: string;
}

export interface Question {
  title: string;
  words: string;
  /** What the button says. */
  does: string;
  harm: boolean;
  answer: (yes: boolean) => void;
}

export interface Order {
  /** As in "Restart". */
  verb: string;
  command: string;
  properties?: Record<string, unknown>;
  /** What hurts about it; then the user is asked first. */
  hurts?: string;
}

export const toasts = signal<readonly Toast[]>([]);
export const question = signal<Question | null>(null);

const LASTS = 5_000;
/** So many watchers are ordered at a time; others wait for their turn in the browser. */
const AT_ONCE = 8;
let keys = 0;

export function dismiss(key: number): void {
  toasts.value = toasts.value.filter((each) => each.key !== key);
}

export function tell(kind: Toast["kind"], title: string, words = "", key = ++keys): number {
  toasts.value = [...toasts.value.filter((each) => each.key !== key), { key, kind, title, words }].slice(-5);
  // What went wrong stays until it was read.
  if (kind === "good") setTimeout(() => dismiss(key), LASTS);
  return key;
}

export function ask(title: string, words: string, does: string, harm = true): Promise<boolean> {
  question.value?.answer(false);
  return new Promise((resolve) => {
    question.value = {
      title,
      words,
      does,
      harm,
      answer: (yes) => {
        question.value = null;
        resolve(yes);
      },
    };
  });
}

/** Order something of watchers, one or many, and tell what became of it. */
export async function order(what: Order, names: readonly string[]): Promise<boolean> {
  const whom = names.length === 1 ? names[0]! : count(names.length, "watcher");
  if (what.hurts && !(await ask(`${what.verb} ${whom}?`, what.hurts, what.verb))) return false;
  const title = `${what.verb} ${whom}`;
  const key = tell("busy", title, "ordered");
  const wrong: string[] = [];
  const waiting = [...names];
  let done = 0;
  const one = async (name: string): Promise<void> => {
    const answer = await call(what.command, { name, ...what.properties }, (text) => tell("busy", title, text, key));
    done += 1;
    if (!answer.ok) wrong.push(names.length === 1 ? reason(answer) : `${name}: ${reason(answer)}`);
    if (names.length > 1) tell("busy", title, `${done} of ${names.length}`, key);
  };
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await one(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (wrong.length) tell("bad", `${title} failed`, wrong.slice(0, 5).join("\n"), key);
  else tell("good", title, "done", key);
  return wrong.length === 0;
}

/** Why something was refused, with the hint if there is one. */
export function reason(answer: { reason: string; hint?: string }): string {
  return answer.hint ? `${answer.reason}\n${answer.hint}` : answer.reason;
}
