/** Buttons and menus for what can be done to watchers; what the role does not allow is not there. */
import { ACTS, killed, REMOVE, SIGNALS, signalled, type Act } from "../store/acts";
import { order } from "../store/orders";
import { may } from "../store/roles";
import { go } from "../store/route";
import { Icon } from "./icons";
import { Menu, type Choice } from "./menu";

/** One button per action, for one watcher or several. */
export function Buttons({ names, acts = ACTS }: { names: readonly string[]; acts?: readonly Act[] }) {
  return (
    <>
      {acts.filter((act) => may(act.command)).map((act) => (
        <button key={act.key} class={act.key === "stop" ? "harm" : ""} onClick={() => void order(act, names)}>
          {act.verb}
        </button>
      ))}
    </>
  );
}

export function Signals({ names, pid }: { names: readonly string[]; pid?: number }) {
  if (!may("signal")) return null;
  const choices = SIGNALS.map((name) => ({ words: `SIG${name}`, act: () => void order(signalled(name, pid), names) }));
  return (
    <Menu label={pid === undefined ? "Send a signal" : `Send a signal to ${pid}`} choices={choices}>
      Signal <Icon name="down" />
    </Menu>
  );
}

/** Everything for one watcher behind one small button. */
export function More({ name }: { name: string }) {
  const choices: Choice[] = ACTS.filter((act) => may(act.command)).map((act) => ({
    words: act.verb,
    harm: act.key === "stop",
    act: () => void order(act, [name]),
  }));
  choices.push({ words: "Logs", act: () => go("logs", name) });
  if (may("set")) choices.push({ words: "Edit options", act: () => go("w", name, "edit") });
  if (may("rm")) choices.push({ words: "Remove", harm: true, act: () => void order(REMOVE, [name]) });
  return (
    <Menu label={`Actions for ${name}`} choices={choices} plain>
      <Icon name="more" />
    </Menu>
  );
}

export function OfProcess({ name, pid }: { name: string; pid: number }) {
  const choices: Choice[] = [];
  if (may("kill")) choices.push({ words: "End this process", harm: true, act: () => void order(killed(pid), [name]) });
  if (may("signal")) {
    for (const each of SIGNALS) choices.push({ words: `Send SIG${each}`, act: () => void order(signalled(each, pid), [name]) });
  }
  return (
    <Menu label={`Actions for process ${pid}`} choices={choices} plain>
      <Icon name="more" />
    </Menu>
  );
}
