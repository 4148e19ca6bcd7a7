import { expect, test } from "vitest";
import { changes, complaints, meant, property, sort, typed, type Section } from "./filling";

const section: Section = {
  properties: {
    cmd: { type: ["string", "array"] },
    numprocesses: { type: "integer", minimum: 0, default: 1 },
    singleton: { type: "boolean", default: false },
    env: { type: "object", default: {} },
    ready: { type: "string", enum: ["delay", "http"] },
    max_age: { type: "number" },
    args: { type: ["string", "array"], default: "" },
    "plugin.colour": { type: "string", description: "An option of some third-party plugin." },
  },
  patternProperties: { "^rlimit_": { type: ["integer", "string"] } },
  required: ["cmd"],
};

test("each option gets the field that suits it, whoever declared it", () => {
  const sorts = Object.fromEntries(Object.entries(section.properties).map(([name, each]) => [name, sort(each)]));
  expect(sorts).toMatchObject({ cmd: "text", numprocesses: "number", singleton: "switch", env: "pairs", ready: "choice", "plugin.colour": "text" });
  expect(property(section, "rlimit_nofile")).toBe(section.patternProperties["^rlimit_"]);
  expect(property(section, "nonsense")).toBeUndefined();
});

test("what is typed means a value, and a value can be typed", () => {
  expect(meant("3", section.properties["numprocesses"]!)).toBe(3);
  expect(meant("many", section.properties["numprocesses"]!)).toBe("many");
  expect(meant("", section.properties["max_age"]!)).toBeNull();
  expect(meant("", section.properties["args"]!)).toBe("");
  expect(meant("true", section.properties["singleton"]!)).toBe(true);
  expect(meant("A=1\nB=x=y\n", section.properties["env"]!)).toEqual({ A: "1", B: "x=y" });
  expect(typed({ A: "1", B: "x=y" })).toBe("A=1\nB=x=y");
  expect(typed(null)).toBe("");
});

test("only what has changed is sent", () => {
  expect(changes(section, { numprocesses: "1", cmd: "x" }, { numprocesses: "1", cmd: "y", rlimit_nofile: "99" })).toEqual({ cmd: "y", rlimit_nofile: "99" });
});

test("a hint stands at the only mistake, or by itself", () => {
  expect(complaints("max_age: no", ["max_age"], "a number")).toEqual({ max_age: "max_age: no\na number" });
  expect(complaints("max_age: no\ncmd: no", ["max_age", "cmd"], "look")).toEqual({ max_age: "max_age: no", cmd: "cmd: no", "": "look" });
  expect(complaints("no", [], "look")).toEqual({ "": "no\nlook" });
});

test("a complaint stands at the option that it names", () => {
  const found = complaints("numprocesses = 'many' isn't an integer\nmax_age: no\nsomething else", Object.keys(section.properties));
  expect(found).toEqual({ numprocesses: "numprocesses = 'many' isn't an integer", max_age: "max_age: no", "": "something else" });
});
