/** What happened: a timeline, newest first, that can be searched and goes on as things happen. */
import { useEffect, useRef, useState } from "preact/hooks";
import { EventLine } from "../parts/event";
import { Rows } from "../parts/rows";
import { events, older, now } from "../store/console";
import { chosen, density } from "../store/happened";
import { colour, theme } from "../store/theme";
import type { EventTold } from "../wire/types";
import { clock, count } from "../words/format";
import { mood, spoken } from "../words/telling";

export function Events() {
  const [words, seek] = useState("");
  const [kind, choose] = useState("");
  const [paused, pause] = useState<readonly EventTold[] | null>(null);
  const [more, mayBeMore] = useState(true);
  const all = paused ?? events.value;
  const shown = chosen(all, "", kind, words);
  const kinds = [...new Set(all.map((each) => each.event))].sort();
  const before = async (): Promise<void> => {
    mayBeMore(await older(events.value[0]?.seq ?? null));
    if (paused) pause(events.value);
  };
  return (
    <div class="page full">
      <div class="flow">
        <h1 class="unseen">Events</h1>
        <input class="grow" type="search" data-search placeholder="Search events" aria-label="Search events" value={words} onInput={(event) => seek(event.currentTarget.value)} />
        <select aria-label="Kind of event" value={kind} onChange={(event) => choose(event.currentTarget.value)}>
          <option value="">Every kind</option>
          {kinds.map((each) => (
            <option key={each} value={each}>
              {spoken(each)}
            </option>
          ))}
        </select>
        <button aria-pressed={paused !== null} onClick={() => pause(paused ? null : events.value)}>
          {paused ? "Go on" : "Pause"}
        </button>
        <button disabled={!more} onClick={() => void before()}>
          Older
        </button>
      </div>
      <Timeline events={shown} />
      <section class="card column" aria-label="Events, newest first">
        <header>
          <h2>{count(shown.length, "event")}</h2>
          <span class="muted small">newest first</span>
        </header>
        <div class="lines" data-scroller tabIndex={0} role="log" aria-label="Events">
          {shown.length === 0 && <div class="empty">No event is like that.</div>}
          <Rows
            count={shown.length}
            height={32}
            role="presentation"
            row={(index) => {
              const event = shown[shown.length - 1 - index]!;
              return <EventLine key={`${event.run} ${event.seq}`} event={event} top={index * 32} />;
            }}
          />
        </div>
      </section>
    </div>
  );
}

/** How much happened when; what went wrong stands out. */
function Timeline({ events: shown }: { events: readonly EventTold[] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const from = shown[0]?.at ?? now.value - 60;
  const to = Math.max(now.value, from + 60);
  const look = theme.value;
  useEffect(() => {
    if (canvas.current) draw(canvas.current, shown, from, to);
  }, [shown, Math.floor(to / 5), look]);
  return (
    <figure class="card timeline">
      <canvas class="density" ref={canvas} role="img" aria-label={`${shown.length} events from ${clock(from)} to ${clock(to)}`} />
      <figcaption class="small muted flow">
        <span>{clock(from)}</span>
        <span class="grow" />
        <span>now</span>
      </figcaption>
    </figure>
  );
}

function draw(canvas: HTMLCanvasElement, shown: readonly EventTold[], from: number, to: number): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const scale = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = width * scale;
  canvas.height = height * scale;
  context.scale(scale, scale);
  const slots = Math.max(20, Math.floor(width / 7));
  const every = density(shown, from, to, slots);
  const bad = density(shown.filter((each) => mood(each) === "bad"), from, to, slots);
  const most = Math.max(4, ...every);
  const bar = (count: number, slot: number, fill: string): void => {
    const high = (count / most) * (height - 2);
    context.fillStyle = fill;
    context.fillRect((slot * width) / slots, height - high, width / slots - 1.5, high);
  };
  every.forEach((count, slot) => count && bar(Math.max(count, most / 18), slot, colour("accent")));
  bad.forEach((count, slot) => count && bar(Math.max(count, most / 18), slot, colour("bad")));
}
