/** The sockets of circusd: what waits at them, and who uses them. */
import { Spark } from "../parts/spark";
import { picture } from "../store/console";
import type { Socket } from "../store/picture";
import { to } from "../store/route";
import { visible } from "../words/safe";

const HEADS = ["fd", "Socket", "Address", "Waiting", "Dropped", "Watchers", "Processes"];

export function Sockets() {
  const all = [...picture.value.sockets.values()].sort((a, b) => a.name.localeCompare(b.name));
  return (
    <div class="page sockets">
      <h1>Sockets</h1>
      {all.length === 0 ? (
        <div class="card empty">
          circusd has no socket open. A section <code>[socket:NAME]</code> opens one.
        </div>
      ) : (
        <div class="card table" role="table" aria-label="Sockets">
          <div class="head" role="row">
            {HEADS.map((words) => (
              <div role="columnheader" key={words}>
                {words}
              </div>
            ))}
          </div>
          {all.map((socket) => (
            <Row key={socket.fd} socket={socket} />
          ))}
        </div>
      )}
    </div>
  );
}

function Row({ socket }: { socket: Socket }) {
  const share = socket.limit ? (socket.waiting ?? 0) / socket.limit : 0;
  return (
    <div class="row" role="row">
      <div class="muted hide" role="cell">
        {socket.fd}
      </div>
      <div role="cell">
        <strong>{visible(socket.name)}</strong>
        <div class="narrow mono small">{visible(socket.address)}</div>
        <div class="narrow small">
          <Whose socket={socket} />
        </div>
      </div>
      <div class="mono cut hide" role="cell" title={socket.address}>
        {visible(socket.address)}
      </div>
      <div class="figure waits" role="cell">
        <Spark past={socket.past} of={1} name="accent" least={4} />
        <span class={share > 0.8 ? "mood bad" : ""}>
          {socket.waiting ?? "–"}
          <span class="muted">{socket.limit === null ? "" : `/${socket.limit}`}</span>
        </span>
      </div>
      <div class={`hide ${socket.dropped ? "mood bad" : "muted"}`} role="cell">
        {socket.dropped ?? "–"}
      </div>
      <div class="hide" role="cell">
        <Whose socket={socket} />
      </div>
      <div class="hide muted" role="cell">
        {socket.pids?.length || "–"}
      </div>
    </div>
  );
}

function Whose({ socket }: { socket: Socket }) {
  if (!socket.watchers.length) return <span class="muted">nobody</span>;
  return (
    <>
      {socket.watchers.map((name) => (
        <a key={name} class="whom" href={to("w", name)}>
          {visible(name)}
        </a>
      ))}
    </>
  );
}
