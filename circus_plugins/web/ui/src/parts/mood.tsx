/** How something fares, by a shape, a colour and a word. */
import type { Mood } from "../wire/types";

const SHAPES: Record<Mood, string> = {
  good: "M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1z",
  busy: "M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1zM6 3v6a3 3 0 0 1 0-6z",
  bad: "M6 .8 11.6 11H.4z",
  off: "M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1zm0 2a3 3 0 1 1 0 6 3 3 0 0 1 0-6z",
};

export const MOODS: readonly Mood[] = ["bad", "busy", "good", "off"];
export const WORDS: Record<Mood, string> = { bad: "failed", busy: "busy", good: "well", off: "off" };

export function Shape({ mood }: { mood: Mood }) {
  return (
    <svg viewBox="0 0 12 12" aria-hidden="true">
      <path d={SHAPES[mood]} fill="currentColor" fill-rule="evenodd" />
    </svg>
  );
}

export function Badge({ mood, words }: { mood: Mood; words: string }) {
  return (
    <span class={`mood badge ${mood}`}>
      <Shape mood={mood} />
      {words}
    </span>
  );
}
