/** One watcher in the overview. */
import { More } from "../parts/actions";
import { Badge } from "../parts/mood";
import { Spark } from "../parts/spark";
import { narrow } from "../parts/wide";
import { select, selected } from "../store/choice";
import { now, picture } from "../store/console";
import type { Watcher } from "../store/picture";
import { to } from "../store/route";
import { bytes, percent, span } from "../words/format";
import { visible } from "../words/safe";
import { awaited, told } from "../words/telling";

export function Row({ watcher, top, index }: { watcher: Watcher; top: number; index: number }) {
  const chosen = selected.value.has(watcher.name);
  const cpu = (
    <>
      <Spark past={watcher.past} of={1} name="cpu" least={5} />
      <span>{percent(watcher.cpu)}</span>
    </>
  );
  const memory = (
    <>
      <Spark past={watcher.past} of={2} name="memory" least={1e6} />
      <span>{bytes(watcher.memory)}</span>
    </>
  );
  return (
    <div class="row" role="row" aria-rowindex={index + 2} aria-selected={chosen} data-name={watcher.name} style={{ top: `${top}px` }}>
      <div class="pick" role="cell">
        <input type="checkbox" aria-label={`Select ${watcher.name}`} checked={chosen} onChange={(event) => select(watcher.name, event.currentTarget.checked)} />
      </div>
      <div class="title" role="cell">
        <div class="cut">
          <a class="name" href={to("w", watcher.name)}>
            {visible(watcher.name)}
          </a>
          {watcher.plugin && <span class="tag">plugin</span>}
        </div>
        {(watcher.trouble || watcher.retry) && (
          <div class={`trouble cut ${watcher.mood}`} title={visible(watcher.trouble)}>
            {visible(awaited(watcher.retry, now.value + picture.value.ahead) + watcher.trouble)}
          </div>
        )}
      </div>
      <div class="state" role="cell">
        <Badge mood={watcher.mood} words={told(watcher)} />
      </div>
      <div class="number hide" role="cell">
        <Up watcher={watcher} />
      </div>
      <div class="number hide" role="cell">
        {watcher.since === null ? "–" : span(now.value + picture.value.ahead - watcher.since)}
      </div>
      <div class={`number hide ${watcher.restarts ? "" : "muted"}`} role="cell">
        {watcher.restarts}
      </div>
      {narrow.value ? (
        <div class="figures small muted cut" role="cell">
          {watcher.up}/{watcher.wanted ?? watcher.up} up · {percent(watcher.cpu)} · {bytes(watcher.memory)}
          {watcher.since === null ? "" : ` · ${span(now.value + picture.value.ahead - watcher.since)}`}
          {watcher.restarts ? ` · ${watcher.restarts}×` : ""}
        </div>
      ) : (
        <>
          <div class="figure" role="cell">
            {cpu}
          </div>
          <div class="figure" role="cell">
            {memory}
          </div>
        </>
      )}
      <div class="more" role="cell">
        <More name={watcher.name} />
      </div>
    </div>
  );
}

/** How many processes run of how many there are to be; and where some are not ready yet, how many are. */
function Up({ watcher }: { watcher: Watcher }) {
  const wanted = watcher.wanted ?? watcher.up;
  const waits = watcher.ready < watcher.up;
  const words = `${watcher.up} of ${wanted} up, ${watcher.ready} ready`;
  return (
    <span class="up" title={words}>
      <span>
        {watcher.up}
        <span class="muted">/{wanted}</span>
      </span>
      {waits && <span class="mood busy small">{watcher.ready} ready</span>}
    </span>
  );
}
