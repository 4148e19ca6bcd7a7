/** The head of a column, by which the rows are sorted. */
interface Props {
  words: string;
  sorted: "up" | "down" | "";
  number?: boolean;
  turn: () => void;
}

export function Heading({ words, sorted, number, turn }: Props) {
  return (
    <div role="columnheader" class={number ? "number" : ""} aria-sort={sorted ? (sorted === "down" ? "descending" : "ascending") : "none"}>
      <button onClick={turn}>
        {words}
        {sorted && <span aria-hidden="true">{sorted === "down" ? "↓" : "↑"}</span>}
      </button>
    </div>
  );
}
