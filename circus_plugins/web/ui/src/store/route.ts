/** Where in the console one is. Routes are in the hash, so they work below any path of a proxy's. */
import { signal } from "@preact/signals";

export type Route =
  | { page: "overview" | "events" | "sockets" | "plugins" | "new" | "unknown" }
  | { page: "watcher" | "edit"; name: string }
  | { page: "logs"; name: string }
  | { page: "plugin"; name: string };

export function parsed(hash: string): Route {
  const [first = "", ...rest] = hash.replace(/^#?\/?/, "").split("/").map(decoded);
  const name = rest[0] ?? "";
  if (first === "") return { page: "overview" };
  if (first === "w" && name) return { page: rest[1] === "edit" ? "edit" : "watcher", name };
  if (first === "logs") return { page: "logs", name };
  if (first === "plugins") return name ? { page: "plugin", name } : { page: "plugins" };
  if (first === "events" || first === "sockets" || first === "new") return { page: first };
  return { page: "unknown" };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a page, such as `to("w", "web")`. */
export const to = (...parts: string[]): string => `#/${parts.map(encodeURIComponent).join("/")}`;

export const route = signal<Route>(parsed(location.hash));
addEventListener("hashchange", () => (route.value = parsed(location.hash)));

export function go(...parts: string[]): void {
  location.hash = to(...parts);
}
