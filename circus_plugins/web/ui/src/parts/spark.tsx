/** The past of a figure as a small line on a canvas, redrawn when it has changed. */
import { useEffect, useRef } from "preact/hooks";
import { colour, theme } from "../store/theme";

interface Props {
  past: readonly (readonly number[])[];
  /** Which number of each point; the first is the time. */
  of: number;
  name: "cpu" | "memory" | "accent";
  /** The top of the scale, at least. */
  least?: number;
}

const POINTS = 90;

export function Spark({ past, of, name, least = 1 }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const look = theme.value;
  useEffect(() => {
    if (canvas.current) draw(canvas.current, past.slice(-POINTS).map((point) => point[of] ?? 0), colour(name), least);
  }, [past, of, name, least, look]);
  return <canvas class="spark" ref={canvas} aria-hidden="true" />;
}

let measured: [within: number, size: [width: number, height: number]] = [0, [0, 0]];

/** All have one size, and to measure each would have the browser lay the page out for each. */
function size(canvas: HTMLCanvasElement): [width: number, height: number] {
  if (measured[0] !== innerWidth || !measured[1][0]) measured = [innerWidth, [canvas.clientWidth, canvas.clientHeight]];
  return measured[1];
}

function draw(canvas: HTMLCanvasElement, values: readonly number[], stroke: string, least: number): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const scale = devicePixelRatio || 1;
  const [width, height] = size(canvas);
  canvas.width = width * scale;
  canvas.height = height * scale;
  if (values.length < 2) return;
  const top = Math.max(least, ...values) * 1.05;
  const x = (index: number): number => width - 1 - (values.length - 1 - index) * (width / (POINTS - 1));
  const y = (value: number): number => height - 1.5 - (value / top) * (height - 3);
  context.scale(scale, scale);
  context.beginPath();
  values.forEach((value, index) => (index ? context.lineTo(x(index), y(value)) : context.moveTo(x(0), y(value))));
  context.strokeStyle = stroke;
  context.lineWidth = 1.25;
  context.lineJoin = "round";
  context.stroke();
  context.lineTo(x(values.length - 1), height);
  context.lineTo(x(0), height);
  context.globalAlpha = 0.12;
  context.fillStyle = stroke;
  context.fill();
}
