/** The processes of one watcher. */
import { OfProcess } from "../parts/actions";
import { Badge } from "../parts/mood";
import { Rows } from "../parts/rows";
import { Spark } from "../parts/spark";
import { narrow } from "../parts/wide";
import { now, picture } from "../store/console";
import type { Process, Watched } from "../store/watched";
import type { Mood } from "../wire/types";
import { bytes, count, percent, span } from "../words/format";

const HEADS = ["wid", "pid", "State", "Age", "Restarts", "CPU", "Memory"];
const MOODS: Record<string, Mood> = { ready: "good", running: "good", starting: "busy", stopping: "busy" };

export function Processes({ watched }: { watched: Watched }) {
  const all = [...watched.processes.values()].sort((a, b) => (a.wid ?? 0) - (b.wid ?? 0) || a.pid - b.pid);
  const height = narrow.value ? 64 : 48;
  return (
    <section class="card processes" aria-label="Processes">
      <header>
        <h2>{count(all.length, "process", "processes")}</h2>
      </header>
      {all.length === 0 ? (
        <div class="empty">No process runs.</div>
      ) : (
        <div class="table" role="table" aria-label="Processes" aria-rowcount={all.length + 1}>
          <div role="rowgroup">
            <div class="head" role="row">
              {HEADS.map((words, index) => (
                <div role="columnheader" class={index > 2 ? "number" : ""} key={words}>
                  {words}
                </div>
              ))}
              <div role="columnheader">
                <span class="unseen">Actions</span>
              </div>
            </div>
          </div>
          <Rows count={all.length} height={height} row={(index) => <Row key={all[index]!.pid} name={watched.name} process={all[index]!} index={index} top={index * height} />} />
        </div>
      )}
    </section>
  );
}

function Row({ name, process, index, top }: { name: string; process: Process; index: number; top: number }) {
  const age = process.since === null ? "–" : span(now.value + picture.value.ahead - process.since);
  return (
    <div class="row" role="row" aria-rowindex={index + 2} style={{ top: `${top}px` }}>
      <div class="wid muted" role="cell">
        {process.wid ?? "–"}
      </div>
      <div class="pid mono" role="cell">
        {process.pid}
      </div>
      <div class="state" role="cell">
        <Badge mood={MOODS[process.state] ?? "off"} words={process.state || "seen"} />
      </div>
      <div class="age number" role="cell">
        {age}
      </div>
      <div class="number hide" role="cell">
        {process.restarts}
      </div>
      <div class="cpu figure" role="cell">
        {!narrow.value && <Spark past={process.past} of={1} name="cpu" least={5} />}
        {percent(process.cpu)}
      </div>
      <div class="memory figure" role="cell">
        {!narrow.value && <Spark past={process.past} of={2} name="memory" least={1e6} />}
        {bytes(process.memory)}
      </div>
      <div class="more number" role="cell">
        <OfProcess name={name} pid={process.pid} />
      </div>
    </div>
  );
}
