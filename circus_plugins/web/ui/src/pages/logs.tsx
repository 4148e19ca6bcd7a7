/** What processes say, as they say it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { LogLine } from "../parts/logline";
import { Rows } from "../parts/rows";
import { follow, output, picture } from "../store/console";
import { found, type Kept, type Output } from "../store/output";
import { go } from "../store/route";
import { download } from "../parts/download";
import { count } from "../words/format";
import { visible } from "../words/safe";

const HEIGHT = 20;

export function Logs({ name }: { name: string }) {
  const [stream, channel] = useState("");
  const [wid, number] = useState<number | null>(null);
  const [words, seek] = useState("");
  const [only, filter] = useState(true);
  const [paused, pause] = useState<Output | null>(null);
  useEffect(() => follow({ name, stream, wid, lines: 500 }), [name, stream, wid]);
  const all = paused ?? output.value;
  const shown = only ? found(all.lines, words) : all.lines;
  const wids = [...new Set(output.value.lines.map((line) => line.wid))].sort((a, b) => a - b);
  return (
    <div class="page full">
      <h1 class="unseen">Logs</h1>
      <div class="flow">
        <Whose name={name} />
        <select aria-label="Channel" value={stream} onChange={(event) => channel(event.currentTarget.value)}>
          <option value="">Both channels</option>
          <option value="stdout">stdout</option>
          <option value="stderr">stderr</option>
        </select>
        {name && (wid !== null || wids.length > 1) && (
          <select aria-label="Process" value={wid ?? ""} onChange={(event) => number(event.currentTarget.value ? Number(event.currentTarget.value) : null)}>
            <option value="">Every process</option>
            {[...new Set([...wids, ...(wid === null ? [] : [wid])])].map((each) => (
              <option key={each} value={each}>
                wid {each}
              </option>
            ))}
          </select>
        )}
        <input class="grow" type="search" data-search placeholder="Search lines" aria-label="Search lines" value={words} onInput={(event) => seek(event.currentTarget.value)} />
        {words && (
          <label class="flow small">
            <input type="checkbox" checked={only} onChange={(event) => filter(event.currentTarget.checked)} /> only what matches
          </label>
        )}
        <button aria-pressed={paused !== null} onClick={() => pause(paused ? null : output.value)}>
          {paused ? "Go on" : "Pause"}
        </button>
        <button disabled={!shown.length} onClick={() => download(shown, name || "circus")}>
          Download
        </button>
      </div>
      <section class="card column" aria-label="Output">
        <header>
          <h2>{count(shown.length, "line")}</h2>
          {all.lost > 0 && <span class="mood bad small">{count(all.lost, "line")} lost on the way</span>}
          {paused && <span class="mood busy small">{count(output.value.next - paused.next, "line")} since the pause</span>}
        </header>
        {all.problem && <div class="notice bad">{visible(all.problem)}</div>}
        <Lines lines={shown} words={words} all={name === ""} paused={paused !== null} />
      </section>
    </div>
  );
}

function Whose({ name }: { name: string }) {
  const names = [...picture.value.watchers.keys()].sort();
  return (
    <select aria-label="Watcher" value={name} onChange={(event) => go("logs", ...(event.currentTarget.value ? [event.currentTarget.value] : []))}>
      <option value="">All watchers</option>
      {(name && !names.includes(name) ? [name, ...names] : names).map((each) => (
        <option key={each} value={each}>
          {visible(each)}
        </option>
      ))}
    </select>
  );
}

/** The lines; while one is at the end, it stays there. */
function Lines({ lines, words, all, paused }: { lines: readonly Kept[]; words: string; all: boolean; paused: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const [atEnd, end] = useState(true);
  const last = lines.at(-1)?.key;
  useEffect(() => {
    if (atEnd && !paused && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [last, lines.length, atEnd, paused]);
  const scrolled = (): void => {
    // It may scroll once more while it goes away.
    if (!box.current) return;
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    end(scrollTop + clientHeight > scrollHeight - HEIGHT * 1.5);
  };
  return (
    <>
      <div class="lines" data-scroller ref={box} tabIndex={0} role="log" aria-live="off" aria-label="Lines of output" onScroll={scrolled}>
        {lines.length === 0 && (
          <div class="empty">Nothing yet. Output is kept and followed of watchers that have a stream (stdout_stream.class, stderr_stream.class).</div>
        )}
        <Rows count={lines.length} height={HEIGHT} role="presentation" row={(index) => <LogLine key={lines[index]!.key} line={lines[index]!} words={words} all={all} top={index * HEIGHT} />} />
      </div>
      {!atEnd && (
        <button class="follow main" onClick={() => end(true)}>
          Follow
        </button>
      )}
    </>
  );
}
