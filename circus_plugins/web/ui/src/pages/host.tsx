/** The machine and circusd itself, in one strip. */
import { now, picture } from "../store/console";
import { bytes, count, percent, span } from "../words/format";

export function Host() {
  const { machine, circusd, watchers, ahead } = picture.value;
  let processes = 0;
  for (const each of watchers.values()) processes += each.up;
  const load = machine?.load.map((each) => each.toFixed(2)).join("  ");
  const busy = machine ? (machine.load[0] ?? 0) / machine.cpus : 0;
  const full = machine ? machine.memory_used / machine.memory_total : 0;
  return (
    <section class="card" aria-label="Host and circusd">
      <dl class="body facts host">
        {machine && (
          <>
            <div>
              <dt>Load on {count(machine.cpus, "core")}</dt>
              <dd>
                <Gauge share={busy} /> {load ?? "–"}
              </dd>
            </div>
            <div>
              <dt>Memory of the host</dt>
              <dd>
                <Gauge share={full} /> {bytes(machine.memory_used)} <span class="muted small aside">of {bytes(machine.memory_total)}</span>
              </dd>
            </div>
          </>
        )}
        <div>
          <dt>Processes</dt>
          <dd>
            {processes.toLocaleString("en")} <span class="muted small aside">in {count(watchers.size, "watcher")}</span>
          </dd>
        </div>
        <div>
          <dt>
            circusd {circusd?.version} {circusd?.pid ? `(pid ${circusd.pid})` : ""}
          </dt>
          <dd class="flow">
            {percent(circusd?.cpu)} <span class="muted small aside">CPU</span> {bytes(circusd?.memory)}
          </dd>
        </div>
        {circusd?.since ? (
          <div>
            <dt>Up for</dt>
            <dd>{span(now.value + ahead - circusd.since)}</dd>
          </div>
        ) : null}
      </dl>
    </section>
  );
}

function Gauge({ share }: { share: number }) {
  return (
    <span class={`gauge ${share > 0.9 ? "full" : ""}`} aria-hidden="true">
      <i style={{ width: `${Math.min(100, share * 100)}%` }} />
    </span>
  );
}
