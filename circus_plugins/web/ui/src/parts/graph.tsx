/** A live graph over time by uPlot. It is made once, and fed; another theme makes it anew. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { colour, theme } from "../store/theme";

interface Props {
  label: string;
  past: readonly (readonly number[])[];
  of: number;
  name: "cpu" | "memory" | "accent";
  words: (value: number) => string;
}

/** Seconds that a graph shows at least. */
const LEAST = 60;
const now = (): number => Date.now() / 1000;

const HALVES = Array.from({ length: 45 }, (_, power) => 2 ** power);
const TENS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((each) => each * 10 ** power)).flat();
/** The top of each scale at least, and the steps of its axis. */
const SCALES = { cpu: { least: 5, steps: TENS }, memory: { least: 2 ** 20, steps: HALVES }, accent: { least: 4, steps: TENS } };

export function Graph({ label, past, of, name, words }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const look = theme.value;
  const data: uPlot.AlignedData = [past.map((point) => point[0]!), past.map((point) => point[of] ?? null)];
  const newest = useRef(data);
  newest.current = data;

  useEffect(() => {
    const within = place.current!;
    const made = new uPlot(options(within, label, name, words), newest.current, within);
    const resized = new ResizeObserver(() => made.setSize({ width: within.clientWidth - 12, height: 146 }));
    resized.observe(within);
    plot.current = made;
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [look, label, name]);

  useEffect(() => plot.current?.setData(data), [past]);

  const last = past.at(-1)?.[of];
  return (
    <section class="card">
      <header>
        <h2>{label}</h2>
        <span class="grow" />
        <strong>{last === undefined ? "–" : words(last)}</strong>
      </header>
      <div class="graph" ref={place} role="img" aria-label={`${label} over time, now ${last === undefined ? "unknown" : words(last)}`} />
    </section>
  );
}

function options(within: HTMLElement, label: string, name: Props["name"], words: Props["words"]): uPlot.Options {
  const of = SCALES[name];
  const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width: Math.max(120, within.clientWidth - 12),
    height: 146,
    legend: { show: false },
    cursor: { points: { size: 7 }, y: false },
    padding: [10, 24, 0, 0],
    scales: {
      x: { range: (_plot, first, last) => [Math.min(first ?? Infinity, (last ?? now()) - LEAST), last ?? now()] },
      y: { range: (_plot, _low, high) => [0, Math.max(of.least, (high ?? 0) * 1.15)] },
    },
    axes: [
      { ...axis, size: 24, values: "{HH}:{mm}:{ss}", space: 64 },
      { ...axis, size: 62, space: 30, incrs: of.steps, values: (_plot, splits) => splits.map(words) },
    ],
    series: [{}, { label, stroke: colour(name), width: 1.5, fill: `${colour(name)}22`, points: { show: false } }],
    hooks: { setCursor: [(plot) => pointed(plot, words)] },
  };
}

/** What is below the pointer, as a title. */
function pointed(plot: uPlot, words: Props["words"]): void {
  const index = plot.cursor.idx;
  const value = index === null || index === undefined ? undefined : plot.data[1]?.[index];
  plot.over.title = typeof value === "number" ? words(value) : "";
}
