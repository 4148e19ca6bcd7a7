/** Reloading the configuration: first what would be done and why, then the doing. */
import { useEffect, useState } from "preact/hooks";
import { Dialog } from "../parts/dialog";
import { reason, tell } from "../store/orders";
import { call } from "../wire/connection";
import type { Planned } from "../wire/types";
import { visible } from "../words/safe";

interface Plan {
  plan: Planned[];
  warnings: string[];
  wrong: string;
}

export function Reloading({ close }: { close: () => void }) {
  const [found, find] = useState<Plan | null>(null);
  useEffect(() => {
    void call("reloadconfig", { plan: true }).then((answer) =>
      find(
        answer.ok
          ? { plan: answer["plan"] as Planned[], warnings: answer["warnings"] as string[], wrong: "" }
          : { plan: [], warnings: [], wrong: reason(answer) },
      ),
    );
  }, []);
  return (
    <Dialog title="Reload the configuration" close={close}>
      <form onSubmit={(event) => (event.preventDefault(), close(), void apply())}>
        <h1>Reload the configuration</h1>
        {found ? <Shown found={found} /> : <p class="muted">Reading the files …</p>}
        <footer>
          <button type="button" onClick={close} autofocus>
            Cancel
          </button>
          <button type="submit" class="main" disabled={!found || found.plan.length === 0}>
            Do this
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function Shown({ found }: { found: Plan }) {
  if (found.wrong) return <div class="notice bad said">{visible(found.wrong).replaceAll("␊", "\n")}</div>;
  return (
    <>
      {found.plan.length === 0 && <p>Nothing in the files has changed, so nothing would be done.</p>}
      <ul class="plan">
        {found.plan.map((step, index) => (
          <li key={index}>
            <strong>
              {step.action} {visible(step.target)}
            </strong>{" "}
            <span class="muted">{visible(step.why)}</span>
          </li>
        ))}
      </ul>
      {found.warnings.map((words, index) => (
        <div class="notice busy" key={index}>
          {visible(words)}
        </div>
      ))}
    </>
  );
}

async function apply(): Promise<void> {
  const title = "Reload the configuration";
  const key = tell("busy", title, "ordered");
  const answer = await call("reloadconfig", { waiting: true }, (text) => tell("busy", title, text, key));
  if (answer.ok) tell("good", title, "done", key);
  else tell("bad", `${title} failed`, reason(answer), key);
}
