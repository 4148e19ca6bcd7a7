/** One option as a field, with what it means and what is wrong with it. */
import { sort, type Property } from "../store/filling";

interface Props {
  name: string;
  property: Property;
  required: boolean;
  value: string;
  wrong: string;
  change: (value: string) => void;
}

export function Field({ name, property, required, value, wrong, change }: Props) {
  const about = `${name}-about`;
  const common = { id: name, "aria-describedby": about, "aria-invalid": wrong ? true : undefined, required };
  const box = sort(property) === "switch";
  return (
    <div class="field" data-wrong={wrong ? "" : undefined}>
      <div class={box ? "flow" : "field"}>
        {!box && <label for={name}>{name}</label>}
        <Input property={property} value={value} change={change} common={common} />
        {box && <label for={name}>{name}</label>}
      </div>
      <div id={about}>
        {wrong.split("\n").filter(Boolean).map((line, index) => <div class="error small" key={index}>{line}</div>)}
        <div class="small muted">{property.description}</div>
      </div>
    </div>
  );
}

function Input({ property, value, change, common }: Pick<Props, "property" | "value" | "change"> & { common: Record<string, unknown> }) {
  const typed = (event: Event): void => change((event.currentTarget as HTMLInputElement).value);
  switch (sort(property)) {
    case "switch":
      return <input {...common} required={false} type="checkbox" checked={value === "true"} onChange={(event) => change(String(event.currentTarget.checked))} />;
    case "choice":
      return (
        <select {...common} value={value} onChange={typed}>
          {property.default === undefined && <option value="">unset</option>}
          {property.enum!.map((each) => (
            <option key={String(each)} value={String(each)}>
              {String(each)}
            </option>
          ))}
        </select>
      );
    case "number":
      return <input {...common} inputMode="decimal" value={value} placeholder="unset" onInput={typed} />;
    case "pairs":
      return <textarea {...common} rows={3} value={value} placeholder="NAME=VALUE, one a line" onInput={typed} />;
    default:
      return <input {...common} value={value} placeholder="unset" onInput={typed} spellcheck={false} autocomplete="off" />;
  }
}
