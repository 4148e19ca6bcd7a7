/** Search, filters, and what is done to circusd as a whole. */
import { useState } from "preact/hooks";
import { Menu } from "../parts/menu";
import { MOODS, Shape, WORDS } from "../parts/mood";
import { narrow } from "../parts/wide";
import { sortBy, wish } from "../store/choice";
import { picture } from "../store/console";
import { counts, type Column } from "../store/listing";
import { ask, reason, tell } from "../store/orders";
import { may } from "../store/roles";
import type { Mood } from "../wire/types";
import { call } from "../wire/connection";
import { Reloading } from "./reloading";

export function Filters() {
  const [reloading, reload] = useState(false);
  const number = counts(picture.value.watchers.values(), wish.value);
  const turned = (mood: Mood): void => {
    const moods = new Set(wish.value.moods);
    if (!moods.delete(mood)) moods.add(mood);
    wish.value = { ...wish.value, moods };
  };
  const choices = [
    ...(may("reloadconfig") ? [{ words: "Reload the configuration …", act: () => reload(true) }] : []),
    ...(may("reopenlogs") ? [{ words: "Reopen log files", act: () => void plainly("reopenlogs", "Reopen log files") }] : []),
    { words: wish.value.plugins ? "Hide watchers of plugins" : "Show watchers of plugins", act: () => (wish.value = { ...wish.value, plugins: !wish.value.plugins }) },
    ...(may("quit") ? [{ words: "Shut circusd down …", harm: true, act: () => void quit() }] : []),
  ];
  return (
    <div class="flow filters">
      <input
        class="grow"
        type="search"
        data-search
        placeholder="Search watchers"
        aria-label="Search watchers"
        aria-keyshortcuts="/"
        value={wish.value.words}
        onInput={(event) => (wish.value = { ...wish.value, words: event.currentTarget.value })}
      />
      <div class="flow" role="group" aria-label="Only those that are">
        {MOODS.map((mood) => (
          <button key={mood} class={`mood ${mood}`} aria-pressed={wish.value.moods.has(mood)} onClick={() => turned(mood)}>
            <Shape mood={mood} />
            {number[mood]} <span class={narrow.value ? "unseen" : ""}>{WORDS[mood]}</span>
          </button>
        ))}
      </div>
      {narrow.value && <Sorting />}
      {may("add") && (
        <a class="button" href="#/new">
          {narrow.value ? "Add" : "Add watcher"}
        </a>
      )}
      <Menu label="More for circusd" choices={choices}>
        circusd …
      </Menu>
      {reloading && <Reloading close={() => reload(false)} />}
    </div>
  );
}

const SORTS: readonly [Column, string][] = [
  ["mood", "Worst first"],
  ["name", "By name"],
  ["cpu", "By CPU"],
  ["memory", "By memory"],
  ["restarts", "By restarts"],
  ["since", "By age"],
];

/** On a phone there are no heads of columns to tap. */
function Sorting() {
  return (
    <select aria-label="Sort" value={wish.value.column} onChange={(event) => sortBy(event.currentTarget.value as Column)}>
      {SORTS.map(([column, words]) => (
        <option key={column} value={column}>
          {words}
        </option>
      ))}
    </select>
  );
}

async function plainly(command: string, title: string): Promise<void> {
  const key = tell("busy", title, "ordered");
  const answer = await call(command);
  if (answer.ok) tell("good", title, "done", key);
  else tell("bad", `${title} failed`, reason(answer), key);
}

async function quit(): Promise<void> {
  if (await ask("Shut circusd down?", "Every watcher stops and circusd ends. This page cannot start it again.", "Shut down")) {
    await plainly("quit", "Shut circusd down");
  }
}
