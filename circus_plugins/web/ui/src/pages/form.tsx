/** Adding a watcher, and changing the options of one. The fields are made from circusd's schema, so options of any plugin are there. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useAnswer } from "../parts/answer";
import { Field } from "../parts/field";
import { changes, complaints, property, typed, type Section } from "../store/filling";
import { tell } from "../store/orders";
import { go, to } from "../store/route";
import { section } from "../store/schema";
import { call } from "../wire/connection";
import type { Answer } from "../wire/types";
import { visible } from "../words/safe";

type Values = Record<string, string>;

/** What nearly every watcher needs comes first. */
const FIRST = ["cmd", "args", "numprocesses", "working_dir", "env", "stdout_stream.class", "stderr_stream.class"];
const NEVER = new Set(["plugins"]);

export function Edit({ name }: { name: string }) {
  const { told, wrong } = useAnswer("options", { name });
  const options = told && Object.entries(told["options"] as Record<string, unknown>);
  const before = options && Object.fromEntries(options.map(([key, each]) => [key, typed(each)]));
  const known = section("watcher");
  const send = (changed: Record<string, unknown>): Promise<Answer> => call("set", { name, options: changed, waiting: true });
  return (
    <div class="page">
      <div class="flow">
        <a href={to("w", name)}>{visible(name)}</a> <span class="muted">/</span>
        <h1>Options</h1>
      </div>
      {wrong && <div class="notice bad">{wrong}</div>}
      {known && before && <Form known={known} before={before} does="Save" send={send} done={() => (tell("good", `Options of ${name}`, "changed"), go("w", name))} />}
    </div>
  );
}

export function Add() {
  const [name, called] = useState("");
  const known = section("watcher");
  const send = ({ cmd, ...options }: Record<string, unknown>): Promise<Answer> => call("add", { name, cmd: cmd ?? "", options, start: true, waiting: true });
  return (
    <div class="page">
      <h1>Add a watcher</h1>
      <p class="muted">It lives until it is removed or circusd ends; write it into the configuration to keep it.</p>
      {known ? (
        <Form known={known} before={{}} does="Add and start" send={send} done={() => (tell("good", `Add ${name}`, "done"), go("w", name))}>
          <div class="field">
            <label for="name">name</label>
            <input id="name" required value={name} onInput={(event) => called(event.currentTarget.value)} autofocus />
            <div class="small muted">What it is called, in commands and in logs.</div>
          </div>
        </Form>
      ) : (
        <p class="muted">Waiting for circusd …</p>
      )}
    </div>
  );
}

interface Props {
  known: Section;
  before: Values;
  does: string;
  send: (changed: Record<string, unknown>) => Promise<Answer>;
  done: () => void;
  children?: ComponentChildren;
}

function Form({ known, before, does, send, done, children }: Props) {
  const [after, change] = useState<Values>({});
  const [wrong, complain] = useState<Values>({});
  const [words, seek] = useState("");
  const [busy, work] = useState(false);
  const names = [...new Set([...FIRST.filter((each) => each in known.properties), ...Object.keys(known.properties), ...Object.keys(before), ...Object.keys(after)])]
    .filter((each) => !NEVER.has(each));
  const shown = names.filter((each) => `${each} ${property(known, each)?.description ?? ""}`.toLowerCase().includes(words.toLowerCase()));
  const often = shown.filter((each) => FIRST.includes(each) || !(each in known.properties));
  const rest = shown.filter((each) => !often.includes(each));
  const changed = changes(known, before, after);
  const field = (each: string) => (
    <Field
      key={each}
      name={each}
      property={property(known, each) ?? {}}
      required={known.required.includes(each)}
      value={after[each] ?? before[each] ?? typed(property(known, each)?.default)}
      wrong={wrong[each] ?? ""}
      change={(value) => change({ ...after, [each]: value })}
    />
  );

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    work(true);
    const answer = await send(changed);
    work(false);
    if (answer.ok) return done();
    const found = complaints(answer.reason, names, answer.hint);
    complain(found);
    const first = names.find((each) => found[each]);
    if (first) requestAnimationFrame(() => document.getElementById(first)?.focus());
  };

  return (
    <form class="card" onSubmit={(event) => void submit(event)} noValidate={false}>
      <header>
        <input class="grow" type="search" data-search placeholder="Search options" aria-label="Search options" value={words} onInput={(event) => seek(event.currentTarget.value)} />
        <Another known={known} add={(each) => change({ ...after, [each]: "" })} />
      </header>
      {wrong[""] && <div class="notice bad" role="alert">{wrong[""]}</div>}
      <div class="body fields">
        {!words && children}
        {often.map(field)}
        {often.length > 0 && rest.length > 0 && <h2 class="all">Everything else</h2>}
        {rest.map(field)}
      </div>
      <footer class="flow">
        <span class="grow muted">{Object.keys(changed).length ? `To be set: ${Object.keys(changed).join(", ")}` : "Nothing is changed yet."}</span>
        <button type="submit" class="main" disabled={busy || !Object.keys(changed).length}>
          {busy ? "Working …" : does}
        </button>
      </footer>
    </form>
  );
}

/** An option whose name only follows a pattern, such as rlimit_nofile or stdout_stream.filename. */
function Another({ known, add }: { known: Section; add: (name: string) => void }) {
  const [name, called] = useState("");
  const fits = property(known, name) !== undefined;
  const hints = Object.keys(known.patternProperties ?? {}).map((each) => each.replace("^", "")).join(" ");
  return (
    <span class="flow">
      <input placeholder="Another option" aria-label="Another option" title={`As in ${hints}`} value={name} onInput={(event) => called(event.currentTarget.value.trim())} />
      <button type="button" disabled={!fits} onClick={() => (add(name), called(""))}>
        Add
      </button>
    </span>
  );
}
