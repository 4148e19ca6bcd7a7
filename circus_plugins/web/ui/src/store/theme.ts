/** Dark or light: as the system has it, until somebody chooses. */
import { effect, signal } from "@preact/signals";

export type Theme = "dark" | "light";
const KEPT_AS = "circus-theme";

const system = matchMedia("(prefers-color-scheme: dark)");
const chosen = signal<string | null>(kept());
const systems = signal<Theme>(system.matches ? "dark" : "light");
system.addEventListener("change", () => (systems.value = system.matches ? "dark" : "light"));

export const theme = signal<Theme>("light");
effect(() => {
  theme.value = chosen.value === "dark" || chosen.value === "light" ? chosen.value : systems.value;
  document.documentElement.dataset["theme"] = theme.value;
});

export function turn(): void {
  chosen.value = theme.value === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEPT_AS, chosen.value);
  } catch {
    // A browser that keeps nothing shows it until it is closed.
  }
}

function kept(): string | null {
  try {
    return localStorage.getItem(KEPT_AS);
  } catch {
    return null;
  }
}

let colours = new Map<string, string>();
theme.subscribe(() => (colours = new Map()));

/** The value of a colour, for what is drawn on a canvas. The browser is asked once for each theme: it takes its time. */
export function colour(name: string): string {
  const known = colours.get(name) ?? getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  colours.set(name, known);
  return known;
}
