/** One event in a line. */
import { to } from "../store/route";
import type { EventTold } from "../wire/types";
import { clock, moment } from "../words/format";
import { visible } from "../words/safe";
import { mood, spoken, words } from "../words/telling";
import { Shape } from "./mood";
import { narrow } from "./wide";

export function EventLine({ event, top, own }: { event: EventTold; top: number; own?: boolean }) {
  const told = visible(words(event));
  const how = mood(event);
  const whose = event.watcher && !own ? <a href={to("w", event.watcher)}>{visible(event.watcher)}</a> : null;
  const short = own || narrow.value;
  return (
    <div class={`event ${own ? "own" : ""}`} style={{ top: `${top}px` }} title={`${moment(event.at)} ${spoken(event.event)} ${told}`}>
      <span class="muted nowrap">{short ? clock(event.at) : moment(event.at)}</span>
      <span class={`mood ${how}`}>
        <Shape mood={how} />
      </span>
      {short ? (
        <span class="cut">
          {whose} {spoken(event.event)} <span class="muted">{told}</span>
        </span>
      ) : (
        <>
          <span class="cut">{whose ?? <span class="muted">circusd</span>}</span>
          <span class="cut">
            {spoken(event.event)} <span class="muted">{told}</span>
          </span>
        </>
      )}
    </div>
  );
}
