/** Forms out of circusd's JSON schema: which field an option gets, and what typed text means. Pure functions. */

export interface Property {
  type?: string | string[];
  description?: string;
  default?: unknown;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
}

export interface Section {
  properties: Record<string, Property>;
  patternProperties: Record<string, Property>;
  required: string[];
}

export type Sort = "switch" | "choice" | "number" | "pairs" | "text";

const types = (property: Property): string[] =>
  property.type === undefined ? [] : Array.isArray(property.type) ? property.type : [property.type];

/** The sort of field that suits an option. */
export function sort(property: Property): Sort {
  const of = types(property);
  if (property.enum) return "choice";
  if (of.length === 1 && of[0] === "boolean") return "switch";
  if (of.length === 1 && (of[0] === "integer" || of[0] === "number")) return "number";
  if (of.includes("object")) return "pairs";
  return "text";
}

/** An option's value as it is typed; pairs are lines of NAME=VALUE. */
export function typed(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.join(" ");
  if (typeof value === "object") return Object.entries(value).map(([name, each]) => `${name}=${each}`).join("\n");
  return String(value);
}

/** What was typed as circusd takes it. What is no number is sent as it is, so that circusd says what is wrong. */
export function meant(text: string, property: Property): unknown {
  const of = sort(property);
  if (of === "switch") return text === "true";
  if (text === "" && !(types(property).includes("string") && property.default === "")) return null;
  if (of === "number") return Number.isFinite(Number(text)) ? Number(text) : text;
  if (of === "pairs") return pairs(text);
  return text;
}

function pairs(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.trim());
  return Object.fromEntries(
    lines.map((line) => {
      const [name = "", ...rest] = line.split("=");
      return [name.trim(), rest.join("=")];
    }),
  );
}

/** The section's property for an option, also for one whose name only matches a pattern, as `rlimit_nofile` does. */
export function property(section: Section, name: string): Property | undefined {
  const pattern = Object.keys(section.patternProperties ?? {}).find((each) => new RegExp(each).test(name));
  return section.properties[name] ?? (pattern === undefined ? undefined : section.patternProperties[pattern]);
}

/** What has changed, ready for `set` or `add`. */
export function changes(section: Section, before: Record<string, string>, after: Record<string, string>): Record<string, unknown> {
  const names = Object.keys(after).filter((name) => after[name] !== (before[name] ?? ""));
  return Object.fromEntries(names.map((name) => [name, meant(after[name]!, property(section, name) ?? {})]));
}

/** circusd's complaint line by line, each at the option that it names; what names none is under "". */
export function complaints(reason: string, names: readonly string[], hint = ""): Record<string, string> {
  const found: Record<string, string> = {};
  const longest = [...names].sort((a, b) => b.length - a.length);
  for (const line of reason.split("\n").filter(Boolean)) {
    const named = longest.find((name) => new RegExp(`(^|[^\\w.])${escaped(name)}($|[^\\w.])`).test(line)) ?? "";
    found[named] = found[named] ? `${found[named]}\n${line}` : line;
  }
  // The hint is for the one mistake that there is; of several, nobody knows for which.
  const [only, ...others] = Object.keys(found);
  const place = only === undefined || others.length ? "" : only;
  if (hint) found[place] = [found[place], hint].filter(Boolean).join("\n");
  return found;
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
