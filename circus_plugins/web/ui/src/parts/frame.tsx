/** What is around every page: the ways to the others, who one is, and whether all is connected. */
import type { ComponentChildren } from "preact";
import { hello, now, picture, problem } from "../store/console";
import { route, to, type Route } from "../store/route";
import { theme, turn } from "../store/theme";
import { home, link } from "../wire/connection";
import { span } from "../words/format";
import { Icon, type IconName } from "./icons";
import { Menu } from "./menu";

const WAYS: readonly [IconName, string, string[], Route["page"][]][] = [
  ["overview", "Watchers", [""], ["overview", "watcher", "edit", "new"]],
  ["logs", "Logs", ["logs"], ["logs"]],
  ["events", "Events", ["events"], ["events"]],
  ["sockets", "Sockets", ["sockets"], ["sockets"]],
  ["plugins", "Plugins", ["plugins"], ["plugins", "plugin"]],
];

export function Frame({ children }: { children: ComponentChildren }) {
  const who = hello.value;
  return (
    <div class="frame">
      <header class="bar">
        <a class="brand" href="#/" title={who ? `circus-bus ${who.version} at ${who.host}` : "circus-bus"}>
          <img src={`${home}favicon.svg`} alt="" />
          <span class="cut">{who?.host || "circus"}</span>
        </a>
        <div class="who">
          <Connected />
          <button class="plain icon" onClick={turn} aria-label={theme.value === "dark" ? "Light colours" : "Dark colours"} title="Dark or light">
            <Icon name={theme.value === "dark" ? "sun" : "moon"} />
          </button>
          {who?.login && (
            <Menu label={`${who.user}, role ${who.read_only ? "view" : who.role}`} choices={[{ words: "Log out", act: () => void leave() }]}>
              {who.user || who.role}
            </Menu>
          )}
        </div>
      </header>
      <Banner />
      <main class="scroller" data-scroller tabIndex={-1}>
        {children}
      </main>
      <nav class="ways" aria-label="Pages">
        {WAYS.map(([icon, words, parts, pages]) => (
          <a key={words} href={to(...parts)} aria-current={pages.includes(route.value.page) ? "page" : undefined}>
            <Icon name={icon} />
            {words}
          </a>
        ))}
      </nav>
    </div>
  );
}

async function leave(): Promise<void> {
  await fetch(`${home}logout`, { method: "POST", headers: { "X-Requested-With": "circus" } });
  location.reload();
}

function Connected() {
  const { state, transport } = link.value;
  if (state !== "open") return null;
  const words = transport === "polling" ? "live, by long polling" : "live";
  return (
    <span class="link" title={`Connected by ${transport}`}>
      <span class={`mood ${problem.value.words ? "busy" : "good"}`}>
        <svg viewBox="0 0 12 12" aria-hidden="true">
          <circle cx="6" cy="6" r="4" fill="currentColor" />
        </svg>
      </span>
      <span class="live">{words}</span>
    </span>
  );
}

/** Says what is gone, and since when. Pages stay as they were, and go on by themselves. */
function Banner() {
  const { state, since, why } = link.value;
  if (state === "lost") {
    return (
      <div class="banner" role="alert">
        <span>
          No connection to the server for <span aria-hidden="true">{span(now.value - since)}</span>
          {why ? `: ${why}` : ""}. What you see is as it was then; it goes on by itself.
        </span>
      </div>
    );
  }
  if (problem.value.words) {
    return (
      <div class="banner" role="alert">
        <span>
          circusd does not answer: {problem.value.words}. For <span aria-hidden="true">{span(now.value - problem.value.since)}</span>. What you see is as it was
          then; it goes on by itself.
        </span>
      </div>
    );
  }
  if (state === "opening" || !picture.value.at) return <div class="banner wait">Connecting …</div>;
  return <div hidden />;
}
