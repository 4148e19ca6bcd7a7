/** What this user may do: the command table says which role each command needs. */
import { computed } from "@preact/signals";
import type { CommandTold, Hello, Role } from "../wire/types";
import { hello } from "./console";

const RANK: Record<Role, number> = { view: 0, operate: 1, admin: 2 };

export function allowed(told: Hello | null): ReadonlyMap<string, CommandTold> {
  if (!told) return new Map();
  const rank = told.read_only ? RANK.view : RANK[told.role];
  return new Map(told.commands.filter((each) => RANK[each.role] <= rank).map((each) => [each.name, each]));
}

const commands = computed(() => allowed(hello.value));

export const may = (command: string): boolean => commands.value.has(command);
