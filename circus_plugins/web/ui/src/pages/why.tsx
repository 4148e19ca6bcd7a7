/** Why is it down? What circusd knows: how the last process ended, what it said last, and when the next try is. */
import { now } from "../store/console";
import type { Watcher } from "../store/picture";
import type { Watched } from "../store/watched";
import { moment, span } from "../words/format";
import { stretches } from "../words/ansi";
import { shortened, visible } from "../words/safe";
import { ending, reasons } from "../words/telling";
import { to } from "../store/route";

export function Why({ watched, watcher }: { watched: Watched; watcher: Watcher }) {
  const { details, heard } = watched;
  const waiting = details.waiting.map((slot) => ({ ...slot, left: Math.max(0, slot.in - (now.value - heard)) }));
  const found = reasons(details);
  const short = watcher.wanted !== null && watcher.up < watcher.wanted && watcher.mood !== "off";
  if (!found.length && !waiting.length && !short) return null;
  const exit = details.last_exit;
  return (
    <section class="card why" aria-label="Why is it down?">
      <header>
        <h2>Why is it down?</h2>
      </header>
      <div class="body">
        {found.map((words, index) => (
          <div class="notice bad" key={index}>
            {visible(words)}
          </div>
        ))}
        {exit && (
          <p>
            Last exit: <strong>{ending(exit)}</strong> of process {exit.wid} (pid {exit.pid}) at <span class="nowrap">{moment(exit.at)}</span>
          </p>
        )}
        {waiting.map((slot) => (
          <p key={slot.wid}>
            Process {slot.wid}: next try {slot.left > 0 ? `in ${span(Math.ceil(slot.left))}` : "now"}
            {slot.failures ? `, after ${slot.failures} failures in a row` : ""}
          </p>
        ))}
        {details.last_words.length > 0 && (
          <>
            <p class="small muted">
              The last lines of its standard error (<a href={to("logs", watched.name)}>all output</a>):
            </p>
            <div class="said" role="log" tabIndex={0} aria-label="Last lines of standard error">
              {details.last_words.map((line, index) => (
                <div key={index}>{stretches(shortened(line)[0]).map((part, at) => <span key={at} class={part.classes}>{part.text}</span>)}</div>
              ))}
            </div>
          </>
        )}
      </div>
    </section>
  );
}
