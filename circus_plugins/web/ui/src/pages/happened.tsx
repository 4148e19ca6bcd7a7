/** The latest events of one watcher. */
import { EventLine } from "../parts/event";
import { Rows } from "../parts/rows";
import { events } from "../store/console";
import { chosen } from "../store/happened";

export function Happened({ watcher }: { watcher: string }) {
  const all = chosen(events.value, watcher, "", "");
  return (
    <section class="card" aria-label="Events">
      <header>
        <h2>Events</h2>
        <span class="grow" />
        <a href="#/events">All events</a>
      </header>
      <div class="lines happened" data-scroller tabIndex={0} role="log" aria-label={`Events of ${watcher}`}>
        {all.length === 0 && <div class="empty">Nothing has happened lately.</div>}
        <Rows count={all.length} height={32} role="presentation" row={(index) => <EventLine key={all[all.length - 1 - index]!.seq} event={all[all.length - 1 - index]!} top={index * 32} own />} />
      </div>
    </section>
  );
}
