/** Small drawings, so that no font of them has to be loaded. */
const PATHS = {
  overview: "M2 3h12M2 8h12M2 13h12",
  logs: "M2 3h9M2 6.5h12M2 10h7M2 13.5h10",
  events: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 5v3.2l2.2 1.6",
  sockets: "M2 8h4M10 8h4M6 5v6h4V5z",
  plugins: "M3 6h3V4.2a1.6 1.6 0 0 1 3.2 0V6H13v3h-1.2a1.6 1.6 0 0 0 0 3.2H13V14H3z",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.4 1.4M11.6 11.6 13 13M13 3l-1.4 1.4M4.4 11.6 3 13",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  down: "M4 6l4 4 4-4",
  up: "M4 10l4-4 4 4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  const width = name === "more" ? 2.4 : 1.5;
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width={width} stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
