/** The plugins of circusd: where each runs, whether it is well, its options and its last error. */
import { useAnswer } from "../parts/answer";
import { Badge } from "../parts/mood";
import { events } from "../store/console";
import { typed } from "../store/filling";
import { order, type Order } from "../store/orders";
import { may } from "../store/roles";
import { to } from "../store/route";
import type { Mood, PluginTold } from "../wire/types";
import { count } from "../words/format";
import { visible } from "../words/safe";

const RESTART: Order = { verb: "Restart plugin", command: "plugins_restart", properties: { waiting: true }, hurts: "It is shut down and started again; what it keeps in memory is gone." };
const REMOVE: Order = { verb: "Remove plugin", command: "plugins_rm", properties: { waiting: true }, hurts: "It is shut down and forgotten until the configuration is read again." };

function fares(plugin: PluginTold): [Mood, string] {
  if (plugin.disabled) return ["bad", "disabled"];
  if (!plugin.started) return ["busy", "not started"];
  if (plugin.failures || plugin.last_error) return ["busy", count(plugin.failures, "failure")];
  return ["good", "well"];
}

export function Plugins() {
  const changed = events.value.findLast((each) => each.event.startsWith("plugin_") || each.watcher?.startsWith("plugin:"))?.seq;
  const { told, wrong } = useAnswer("plugins", {}, changed);
  const rank: Record<Mood, number> = { bad: 0, busy: 1, good: 2, off: 3 };
  const sorted = [...((told?.["plugins"] ?? []) as PluginTold[])].sort((a, b) => rank[fares(a)[0]] - rank[fares(b)[0]] || a.name.localeCompare(b.name));
  return (
    <div class="page">
      <h1>Plugins</h1>
      {wrong && <div class="notice bad">{wrong}</div>}
      <ul class="cards">
        {sorted.map((plugin) => {
          const [mood, words] = fares(plugin);
          return (
            <li class="card body" key={plugin.name}>
              <div class="flow">
                <a class="name" href={to("plugins", plugin.name)}>
                  {visible(plugin.name)}
                </a>
                <span class="grow" />
                <Badge mood={mood} words={words} />
              </div>
              <div class="small muted cut" title={plugin.use}>
                {visible(plugin.use)}
              </div>
              <div class="small">
                {plugin.host === "core" ? "inside circusd" : "a process of its own"}, {count(plugin.hooks.length, "hook")}
                {plugin.behind ? `, ${count(plugin.behind, "event")} behind` : ""}
              </div>
              {plugin.last_error && <div class="notice bad small">{visible(plugin.last_error)}</div>}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

export function Plugin({ name }: { name: string }) {
  const changed = events.value.findLast((each) => each.event.startsWith("plugin_") || each.watcher === `plugin:${name}`)?.seq;
  const { told, wrong } = useAnswer("plugins_show", { name }, changed);
  const plugin = (told?.["plugin"] ?? null) as PluginTold | null;
  return (
    <div class="page">
      <div class="flow">
        <a href="#/plugins">Plugins</a> <span class="muted">/</span>
        <h1>{visible(name)}</h1>
        {plugin && <Badge mood={fares(plugin)[0]} words={fares(plugin)[1]} />}
      </div>
      {wrong && <div class="notice bad">{wrong}</div>}
      {plugin && (
        <>
          <div class="flow">
            {may("plugins_restart") && <button onClick={() => void order(RESTART, [name])}>Restart</button>}
            {plugin.watcher && (
              <a class="button" href={to("w", plugin.watcher)}>
                Its process
              </a>
            )}
            {may("plugins_rm") && (
              <button class="harm" onClick={() => void order(REMOVE, [name])}>
                Remove
              </button>
            )}
          </div>
          {plugin.last_error && <div class="notice bad">Last error: {visible(plugin.last_error)}</div>}
          <section class="card">
            <header>
              <h2>Options</h2>
            </header>
            {Object.keys(plugin.options ?? {}).length === 0 ? (
              <div class="empty">It has none.</div>
            ) : (
              <dl class="options">
                {Object.entries(plugin.options ?? {}).map(([key, each]) => <Pair key={key} name={key} value={typed(each)} />)}
              </dl>
            )}
          </section>
          <section class="card">
            <header>
              <h2>What it is</h2>
            </header>
            <dl class="options">
              <Pair name="use" value={plugin.use} />
              <Pair name="installed" value={plugin.installed ?? ""} />
              <Pair name="runs" value={plugin.host === "core" ? "inside circusd" : `in process ${plugin.pid ?? "–"}`} />
              <Pair name="commands" value={(plugin.adds_commands ?? []).join("\n")} />
              <Pair name="adds options" value={(plugin.adds_options ?? []).join("\n")} />
              <Pair name="hooks" value={plugin.hooks.join("\n")} />
            </dl>
          </section>
        </>
      )}
    </div>
  );
}

function Pair({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt class="mono">{name}</dt>
      <dd class="mono">{value.split("\n").map((line, index) => <div key={index}>{visible(line) || "–"}</div>)}</dd>
    </div>
  );
}
