/** One watcher: how it fares and why, its processes, what it costs, what it said and what happened. */
import { useEffect } from "preact/hooks";
import { Buttons, Signals } from "../parts/actions";
import { Badge } from "../parts/mood";
import { REMOVE } from "../store/acts";
import { now, picture, watch, watched } from "../store/console";
import { order } from "../store/orders";
import { may } from "../store/roles";
import { go, to } from "../store/route";
import { bytes, count, percent, span } from "../words/format";
import { visible } from "../words/safe";
import { told } from "../words/telling";
import { Graph } from "../parts/graph";
import { Happened } from "./happened";
import { Options } from "./options";
import { Processes } from "./processes";
import { Why } from "./why";

export function WatcherPage({ name }: { name: string }) {
  useEffect(() => watch(name), [name]);
  const watcher = picture.value.watchers.get(name);
  const close = watched.value?.name === name ? watched.value : null;
  if (!watcher) return <Unknown name={name} />;
  const operation = close?.details.operation;
  return (
    <div class="page watcher">
      <div class="flow">
        <h1>{visible(name)}</h1>
        <Badge mood={watcher.mood} words={told(watcher)} />
        {operation && <span class="tag">{operation} under way</span>}
        <span class="muted">
          {watcher.up} of {count(watcher.wanted ?? watcher.up, "process", "processes")} up, {watcher.ready} ready
          {watcher.since === null ? "" : `, for ${span(now.value + picture.value.ahead - watcher.since)}`}, {count(watcher.restarts, "restart")}
        </span>
      </div>
      <div class="flow" role="toolbar" aria-label={`Actions for ${name}`}>
        <Buttons names={[name]} />
        <Signals names={[name]} />
        <a class="button" href={to("logs", name)}>
          Logs
        </a>
        {may("set") && (
          <a class="button" href={to("w", name, "edit")}>
            Edit options
          </a>
        )}
        {may("rm") && (
          <button class="harm" onClick={() => void order(REMOVE, [name]).then((done) => done && go(""))}>
            Remove
          </button>
        )}
      </div>
      {close && <Why watched={close} watcher={watcher} />}
      <div class="graphs">
        <Graph label="CPU" past={watcher.past} of={1} name="cpu" words={percent} />
        <Graph label="Memory" past={watcher.past} of={2} name="memory" words={bytes} />
        {[...picture.value.sockets.values()].filter((socket) => socket.watchers.includes(name)).map((socket) => (
          <Graph key={socket.fd} label={`Waiting at ${socket.name}`} past={socket.past} of={1} name="accent" words={String} />
        ))}
      </div>
      {close && <Processes watched={close} />}
      <div class="halves">
        <Happened watcher={name} />
        <Options name={name} />
      </div>
    </div>
  );
}

function Unknown({ name }: { name: string }) {
  return (
    <div class="page">
      <h1>{visible(name)}</h1>
      <p class="muted">{picture.value.at ? "There is no watcher of this name (any more)." : "Waiting for circusd …"}</p>
      <p>
        <a href="#/">All watchers</a>
      </p>
    </div>
  );
}
