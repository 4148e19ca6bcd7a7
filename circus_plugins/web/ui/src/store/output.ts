/** Lines of output that the browser keeps, within bounds of lines and of size. Pure functions. */
import type { LineTold, OutputTold } from "../wire/types";

export const KEPT = 10_000;
export const KEPT_SIZE = 20_000_000;

export interface Kept extends LineTold {
  /** Counts up, so that a line can be told from others like it. */
  key: number;
}

export interface Output {
  lines: readonly Kept[];
  size: number;
  /** How many were lost on the way, and how many dropped here for want of room. */
  lost: number;
  next: number;
  problem: string;
}

export const EMPTY: Output = { lines: [], size: 0, lost: 0, next: 0, problem: "" };

export function added(before: Output, told: OutputTold): Output {
  let next = before.next;
  const fresh = told.lines.map((line) => ({ ...line, key: next++ }));
  let lines = [...before.lines, ...fresh];
  let size = fresh.reduce((sum, line) => sum + line.text.length, before.size);
  let first = Math.max(0, lines.length - KEPT);
  for (const line of lines.slice(0, first)) size -= line.text.length;
  while (size > KEPT_SIZE && first < lines.length - 1) size -= lines[first++]!.text.length;
  if (first) lines = lines.slice(first);
  return { lines, size, lost: before.lost + told.lost, next, problem: told.problem ?? "" };
}

/** Lines in which the words are found, in any case. */
export function found(lines: readonly Kept[], words: string): readonly Kept[] {
  const wanted = words.toLowerCase();
  return wanted ? lines.filter((line) => line.text.toLowerCase().includes(wanted)) : lines;
}
