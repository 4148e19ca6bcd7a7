/** Whether there is room for tables, as styles/lists.css has it too. */
import { signal } from "@preact/signals";

const query = matchMedia("(max-width: 900px)");

export const narrow = signal(query.matches);
query.addEventListener("change", () => (narrow.value = query.matches));
