import { describe, expect, test } from "vitest";
import { bytes, count, percent, span, value } from "./format";

describe("figures as people read them", () => {
  test.each([
    [null, "–"],
    [0, "0 B"],
    [999, "999 B"],
    [1024, "1.0 KB"],
    [123_456_789, "118 MB"],
    [5 * 1024 ** 4, "5.0 TB"],
    [5000 * 1024 ** 4, "5000 TB"],
  ])("%s bytes are %s", (given, words) => expect(bytes(given)).toBe(words));

  test.each([
    [undefined, "–"],
    [0, "0 %"],
    [0.25, "0.3 %"],
    [12.6, "13 %"],
    [800, "800 %"],
  ])("%s percent is %s", (given, words) => expect(percent(given)).toBe(words));

  test.each([
    [null, "–"],
    [-3, "0 s"],
    [59.9, "59 s"],
    [60, "1 m"],
    [3_725, "1 h 2 m"],
    [86_400 + 5, "1 d"],
    [90_000, "1 d 1 h"],
  ])("%s seconds are %s", (given, words) => expect(span(given)).toBe(words));

  test("one is not many", () => {
    expect(count(1, "process", "processes")).toBe("1 process");
    expect(count(1_200, "process", "processes")).toBe("1,200 processes");
  });

  test("a value of any sort is a line", () => {
    expect(value(["a", 1])).toBe("a 1");
    expect(value({ a: 1 })).toBe('{"a":1}');
    expect(value(null)).toBe("");
  });
});
