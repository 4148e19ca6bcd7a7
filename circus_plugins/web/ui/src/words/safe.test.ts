import { expect, test } from "vitest";
import { stretches } from "./ansi";
import { shortened, visible } from "./safe";

test("control characters, directions and halves of characters are seen and do nothing", () => {
  expect(visible("a\u0000b\u0007\r\n")).toBe("a␀b␇␍␊");
  expect(visible("\u202egnp.exe")).toBe("<202e>gnp.exe");
  expect(visible("\ud800x\u{1f3aa}\t")).toBe("�x\u{1f3aa}\t");
  expect(visible("<b>&amp;")).toBe("<b>&amp;");
});

test("a line of a megabyte is cut, and says by how much", () => {
  const [text, missing] = shortened("x".repeat(1_000_000));
  expect(text.length + missing).toBe(1_000_000);
  expect(text.length).toBeLessThan(10_000);
});

test("colours become names of classes, and the rest of what terminals do is dropped", () => {
  expect(stretches("a\u001b[1;31mred\u001b[0m b")).toEqual([
    { text: "a", classes: "" },
    { text: "red", classes: "ansi-red bold" },
    { text: " b", classes: "" },
  ]);
  expect(stretches("\u001b]0;title\u0007\u001b[2K\u001b[3Ax").map((each) => each.text)).toEqual(["x"]);
  expect(stretches("\u001b[38;5;9mbright\u001b[39m")[0]).toEqual({ text: "bright", classes: "ansi-red" });
  expect(stretches("\u001b[38;2;4;31;9mtrue colour")[0]).toEqual({ text: "true colour", classes: "" });
});

test("a sequence that has no end is shown", () => {
  expect(stretches("\u001b[31").map((each) => each.text)).toEqual(["␛[31"]);
});

test("a megabyte of escapes does not take long", () => {
  const begun = performance.now();
  stretches("\u001b[31;".repeat(200_000));
  expect(performance.now() - begun).toBeLessThan(5_000);
});
