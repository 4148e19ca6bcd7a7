/** Every option of a watcher that is in force; what differs from the default comes first. */
import { useState } from "preact/hooks";
import { useAnswer } from "../parts/answer";
import { events } from "../store/console";
import { section } from "../store/schema";
import { typed, type Section } from "../store/filling";
import { visible } from "../words/safe";

export function Options({ name }: { name: string }) {
  const [words, seek] = useState("");
  // They are asked for again when circusd says that they have changed.
  const changed = events.value.findLast((each) => each.event === "watcher_updated" && each.watcher === name)?.seq;
  const { told, wrong } = useAnswer("options", { name }, changed);
  const options = (told?.["options"] ?? {}) as Record<string, unknown>;
  const known = section("watcher");
  const all = Object.entries(options).filter(([key, each]) => `${key} ${typed(each)}`.toLowerCase().includes(words.toLowerCase()));
  const own = all.filter(([key, each]) => !standard(known, key, each));
  const rest = all.filter(([key, each]) => standard(known, key, each));
  return (
    <section class="card" aria-label="Options">
      <header>
        <h2>Options in force</h2>
        <span class="grow" />
        <input type="search" placeholder="Search options" aria-label="Search options" value={words} onInput={(event) => seek(event.currentTarget.value)} />
      </header>
      {wrong && <div class="notice bad">{wrong}</div>}
      <dl class="options" tabIndex={0} aria-label="Options and their values">
        {own.map(([key, each]) => <Option key={key} name={key} value={each} own />)}
        {rest.map(([key, each]) => <Option key={key} name={key} value={each} />)}
      </dl>
    </section>
  );
}

function standard(known: Section | undefined, key: string, value: unknown): boolean {
  return typed(value) === typed(known?.properties[key]?.default);
}

function Option({ name, value, own }: { name: string; value: unknown; own?: boolean }) {
  return (
    <div class={own ? "own" : "muted"} title={section("watcher")?.properties[name]?.description}>
      <dt class="mono">{name}</dt>
      <dd class="mono">{typed(value).split("\n").map((line, index) => <div key={index}>{visible(line) || "–"}</div>)}</dd>
    </div>
  );
}
