/** Lines as a file, whole and as they were written. */
import type { LineTold } from "../wire/types";

export function download(lines: readonly LineTold[], name: string): void {
  const text = lines.map((line) => `${line.text}\n`);
  const address = URL.createObjectURL(new Blob(text, { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = `${name.replace(/[^\w.-]+/g, "_")}.log`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
