/** Figures and times as people read them. Pure functions. */

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** Bytes with three digits that count: `12.3 MB`. */
export function bytes(count: number | null | undefined): string {
  if (count === null || count === undefined) return "–";
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** Percent of one core. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return "–";
  return `${share >= 10 || share === 0 ? Math.round(share) : share.toFixed(1)} %`;
}

/** A span of time in its two largest units: `3 d 4 h`, `12 s`. */
export function span(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "m"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([count], index) => count > 0 || index === 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

const two = (value: number): string => String(value).padStart(2, "0");

/** The time of day, `14:03:59`, of this browser's time zone. */
export function clock(at: number): string {
  const date = new Date(at * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** The day and the time of day, as ISO 8601 has them. */
export function moment(at: number): string {
  const date = new Date(at * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(at)}`;
}

/** `1 process`, `2 processes`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** Any value of an option as a line of text. */
export function value(of: unknown): string {
  if (of === null || of === undefined) return "";
  if (Array.isArray(of)) return of.map(value).join(" ");
  return typeof of === "object" ? JSON.stringify(of) : String(of);
}
