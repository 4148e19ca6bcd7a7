import { render, type ComponentChild } from "preact";
import { act } from "preact/test-utils";
import { afterEach, expect, test, vi } from "vitest";
import { Field } from "./field";
import { LogLine } from "./logline";
import { Menu } from "./menu";
import { Badge } from "./mood";
import { Rows } from "./rows";
import type { Kept } from "../store/output";

vi.stubGlobal("ResizeObserver", class { observe() {} disconnect() {} });

const place = document.body.appendChild(document.createElement("div"));
const shown = (what: ComponentChild): HTMLElement => {
  void act(() => render(what, place));
  return place;
};
afterEach(() => render(null, place));

const line = (text: string): Kept => ({ at: 1, watcher: "web", wid: 1, pid: 2, stream: "stderr", text, key: 1 });

test("a line of output is text: what looks like markup stays what it is", () => {
  const box = shown(<LogLine line={line("<img src=x onerror=alert(1)> \u001b[31mred\u001b[0m \u0007")} words="" all top={0} />);
  expect(box.querySelector("img")).toBeNull();
  expect(box.textContent).toContain("<img src=x onerror=alert(1)>");
  expect(box.querySelector(".ansi-red")?.textContent).toBe("red");
  expect(box.textContent).toContain("␇");
  expect(box.querySelector(".whose")?.textContent).toBe("web/1");
});

test("what is searched is marked, in any case and each time", () => {
  const box = shown(<LogLine line={line("Error, then an error")} words="ERROR" all={false} top={0} />);
  expect([...box.querySelectorAll("mark")].map((each) => each.textContent)).toEqual(["Error", "error"]);
});

test("a line of a megabyte is cut", () => {
  const box = shown(<LogLine line={line("x".repeat(1_000_000))} words="" all={false} top={0} />);
  expect(box.textContent!.length).toBeLessThan(3_000);
  expect(box.textContent).toContain("975 KB more");
});

test("a mood is a shape and a word, and not only a colour", () => {
  const box = shown(<Badge mood="bad" words="gave up" />);
  expect(box.querySelector("svg path")).not.toBeNull();
  expect(box.textContent).toBe("gave up");
});

test("an option's field tells what it means and what is wrong with it", () => {
  const changed = vi.fn();
  const box = shown(<Field name="numprocesses" property={{ type: "integer", description: "How many." }} required value="many" wrong="isn't an integer" change={changed} />);
  const input = box.querySelector("input")!;
  expect(input.getAttribute("aria-invalid")).toBe("true");
  expect(document.getElementById(input.getAttribute("aria-describedby")!)?.textContent).toBe("isn't an integerHow many.");
  input.value = "3";
  input.dispatchEvent(new Event("input", { bubbles: true }));
  expect(changed).toHaveBeenCalledWith("3");
});

test("of a long list only what is in sight is drawn", () => {
  const box = shown(
    <div data-scroller>
      <Rows count={5_000} height={48} row={(index) => <div class="one" key={index}>{index}</div>} />
    </div>,
  );
  expect(box.querySelectorAll(".one").length).toBeLessThan(100);
  expect(box.querySelector<HTMLElement>(".rows")!.style.height).toBe("240000px");
});

test("a menu opens, has the focus, does what is chosen and closes", () => {
  const chosen = vi.fn();
  const box = shown(<Menu label="Actions" choices={[{ words: "Stop", harm: true, act: chosen }]}>…</Menu>);
  void act(() => box.querySelector("button")!.click());
  const item = box.querySelector<HTMLElement>("[role=menuitem]")!;
  expect(document.activeElement).toBe(item);
  void act(() => item.click());
  expect(chosen).toHaveBeenCalledOnce();
  expect(box.querySelector("[role=menuitem]")).toBeNull();
});
