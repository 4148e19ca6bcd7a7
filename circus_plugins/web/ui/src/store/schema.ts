/** circusd's JSON schema, asked for once for each connection; forms and options read it. */
import { signal } from "@preact/signals";
import { call, connected } from "../wire/connection";
import type { Section } from "./filling";

export const schema = signal<Record<string, Section>>({});
export const section = (name: string): Section | undefined => schema.value[name];

connected(() => {
  void call("schema").then((answer) => {
    if (answer.ok) schema.value = answer["sections"] as Record<string, Section>;
  });
});
