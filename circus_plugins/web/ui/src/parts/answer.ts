/** What circusd answers to a question that a page has: asked once there is a connection, and again when something changed. */
import { useEffect, useState } from "preact/hooks";
import { reason } from "../store/orders";
import { call, link } from "../wire/connection";

export interface Answered {
  told: Record<string, unknown> | null;
  wrong: string;
}

/** `again` is anything whose change means that the answer may be another one. */
export function useAnswer(command: string, properties: Record<string, unknown>, again?: unknown): Answered {
  const [answered, take] = useState<Answered>({ told: null, wrong: "" });
  const open = link.value.state === "open";
  const asked = JSON.stringify(properties);
  useEffect(() => {
    if (!open) return;
    let current = true;
    void call(command, properties).then((answer) => {
      if (!current) return;
      take((before) => (answer.ok ? { told: answer, wrong: "" } : { told: before.told, wrong: reason(answer) }));
    });
    return () => {
      current = false;
    };
  }, [command, asked, open, again]);
  return answered;
}
