/** One line of output: as text, with the colours that it asked for, and what was searched marked. */
import type { ComponentChildren } from "preact";
import type { Kept } from "../store/output";
import { stretches } from "../words/ansi";
import { bytes, clock } from "../words/format";
import { shortened } from "../words/safe";

export function LogLine({ line, words, all, top }: { line: Kept; words: string; all: boolean; top: number }) {
  const [text, hidden] = shortened(line.text);
  const missing = hidden + (line.cut ?? 0);
  const whose = all ? `${line.watcher}/${line.wid}` : String(line.wid);
  return (
    <div class={`line ${line.stream}`} style={{ top: `${top}px` }}>
      <span class="at">{line.at === null ? "        " : clock(line.at)}</span>
      <span class="whose" title={`pid ${line.pid}, ${line.stream}`}>
        {whose}
      </span>
      {stretches(text).map((part, index) => (
        <span key={index} class={part.classes}>
          {marked(part.text, words)}
        </span>
      ))}
      {missing > 0 && <span class="muted"> … {bytes(missing)} more</span>}
    </div>
  );
}

function marked(text: string, words: string): ComponentChildren {
  if (!words) return text;
  const parts: ComponentChildren[] = [];
  const low = text.toLowerCase();
  const wanted = words.toLowerCase();
  let done = 0;
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, done)) {
    parts.push(text.slice(done, at), <mark key={at}>{text.slice(at, at + wanted.length)}</mark>);
    done = at + wanted.length;
  }
  return [...parts, text.slice(done)];
}
