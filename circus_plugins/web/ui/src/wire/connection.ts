/** The connection to the server: WebSocket, or long polling where that is blocked. It knows nothing of what is shown. */
import { signal } from "@preact/signals";
import { io } from "socket.io-client";
import type { Answer } from "./types";

export type Link = { state: "opening" | "open" | "lost" | "refused"; since: number; why: string; transport: string };

/** How the connection fares. */
export const link = signal<Link>({ state: "opening", since: Date.now() / 1000, why: "", transport: "" });

/** Addresses are relative to the page, so that the console works below any path of a proxy's. */
export const home = new URL(".", location.href.split("#")[0]).pathname;

const ANSWER_WITHIN = 30_000;
const TRANSPORTS = ["websocket", "polling"];

const socket = io({
  path: `${home}socket.io`,
  transports: TRANSPORTS,
  // A WebSocket that cannot be opened means the next transport, and not the same again.
  tryAllTransports: true,
  autoConnect: false,
  timeout: 8_000,
  reconnectionDelay: 500,
  reconnectionDelayMax: 5_000,
});

const running = new Map<number, (text: string) => void>();
let asked = 0;

function becomes(state: Link["state"], why = ""): void {
  const since = link.value.state === state ? link.value.since : Date.now() / 1000;
  link.value = { state, since, why, transport: state === "open" ? socket.io.engine.transport.name : "" };
}

socket.on("connect", () => {
  becomes("open");
  socket.io.engine.once("upgrade", () => becomes("open"));
});
socket.on("disconnect", (reason) => {
  becomes("lost", reason === "io server disconnect" ? "the server has hung up" : "");
  // The library leaves it at that where the server hung up.
  if (reason === "io server disconnect") setTimeout(() => socket.connect(), 1_000);
});
socket.on("connect_error", (error: Error & { data?: { login?: boolean; reason?: string } }) => {
  becomes("lost", error.data?.reason ?? "");
  // A WebSocket that is let in and then goes nowhere is blocked too: from now on it is only tried beside long polling.
  socket.io.opts.transports = [...TRANSPORTS].reverse();
  // Without a session the answer is no; whether it is that, only the server can tell.
  void needsLogin().then((needed) => {
    if (needed) {
      socket.disconnect();
      becomes("refused");
    } else if (!socket.active) setTimeout(() => socket.connect(), 2_000);
  });
});
socket.on("progress", (told: { id: number; text: string }) => running.get(told.id)?.(told.text));

async function needsLogin(): Promise<boolean> {
  try {
    return (await fetch(`${home}api/v1/me`, { headers: { "X-Requested-With": "circus" } })).status === 401;
  } catch {
    return false;
  }
}

export function open(): void {
  socket.connect();
}

/** Have what the server tells under `name` handed to `take`. */
export function heard<Told>(name: string, take: (told: Told) => void): void {
  socket.on(name, take);
}

/** Have something done at once and after each time that the connection came up again. */
export function connected(act: () => void): void {
  socket.on("connect", act);
}

async function ask(name: string, payload: unknown, patience?: number): Promise<Answer> {
  if (!socket.connected) return { ok: false, reason: "there is no connection to the server" };
  const sent = patience ? socket.timeout(patience) : socket;
  const lost = new Promise<Answer>((resolve) =>
    socket.once("disconnect", () => resolve({ ok: false, reason: "the connection was lost before the answer came" })),
  );
  try {
    return await Promise.race([sent.emitWithAck(name, payload) as Promise<Answer>, lost]);
  } catch {
    return { ok: false, reason: "the server did not answer in time" };
  }
}

/** Have circusd do a command. One that waits takes as long as it takes, and `progress` hears how far it is. */
export async function call(
  command: string,
  properties: Record<string, unknown> = {},
  progress?: (text: string) => void,
): Promise<Answer> {
  const id = ++asked;
  if (progress) running.set(id, progress);
  try {
    return await ask("call", { id, command, properties }, properties["waiting"] ? undefined : ANSWER_WITHIN);
  } finally {
    running.delete(id);
  }
}

/** Any other request, such as `watch` or `follow`. */
export const request = (name: string, payload: object = {}): Promise<Answer> => ask(name, payload, ANSWER_WITHIN);
