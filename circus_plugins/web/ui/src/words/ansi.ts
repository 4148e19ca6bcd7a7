/** Colours of terminals in a line of output, as stretches of text with class names. Every other sequence is dropped. */
import { visible } from "./safe";

export interface Stretch {
  text: string;
  classes: string;
}

// Control sequences, and those that set titles or links: ECMA-48 5.4 and 8.3.89.
const SEQUENCE = /\u001b\[([0-9;:]*)[\u0020-\u002f]*([\u0040-\u007e])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[\u0020-\u002f]*[\u0030-\u005a\u005c-\u007e]/g;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

interface Style {
  colour: string;
  bold: boolean;
  faint: boolean;
  under: boolean;
}

const PLAIN: Style = { colour: "", bold: false, faint: false, under: false };

/** Cut a line where its colour changes. */
export function stretches(line: string): Stretch[] {
  if (!line.includes("\u001b")) return [{ text: visible(line), classes: "" }];
  const found: Stretch[] = [];
  let style = PLAIN;
  let done = 0;
  const add = (text: string): void => {
    if (text) found.push({ text: visible(text), classes: classes(style) });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    add(line.slice(done, match.index));
    done = match.index + match[0].length;
    if (match[2] === "m") style = restyled(style, (match[1] ?? "").split(/[;:]/).map(Number));
  }
  add(line.slice(done));
  return found;
}

function classes(style: Style): string {
  const names = [style.colour && `ansi-${style.colour}`, style.bold && "bold", style.faint && "faint", style.under && "under"];
  return names.filter(Boolean).join(" ");
}

function restyled(before: Style, codes: number[]): Style {
  let style = before;
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index]!;
    if (code === 38 || code === 48) {
      // One of 256 colours, or of all: what follows is its number, and no code.
      const wide = codes[index + 1] === 2 ? 4 : 2;
      const basic = code === 38 && wide === 2 ? COLOURS[codes[index + 2]! % 8] : undefined;
      if (code === 38) style = { ...style, colour: (codes[index + 2]! < 16 && basic) || "" };
      index += wide;
    } else style = one(style, code);
  }
  return style;
}

function one(style: Style, code: number): Style {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, faint: true };
  if (code === 4) return { ...style, under: true };
  if (code === 22) return { ...style, bold: false, faint: false };
  if (code === 24) return { ...style, under: false };
  if (code === 39) return { ...style, colour: "" };
  if (code >= 30 && code <= 37) return { ...style, colour: COLOURS[code - 30]! };
  if (code >= 90 && code <= 97) return { ...style, colour: COLOURS[code - 90]! };
  return style;
}
