/** Text of strangers made fit to be shown: nothing invisible, nothing that reorders, nothing endless. Pure functions. */

/** What of a longer line is shown. */
export const SHOWN = 2_000;

// C0 and C1 controls but the tab, and what changes the direction of text, so that a line reads as it is.
const HIDDEN = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** A picture for each control character, as in `␛[31m`, and � for what is no text. */
export function visible(text: string): string {
  return text.replace(LONE, "\ufffd").replace(HIDDEN, (found) => {
    const code = found.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "␡" : `<${code.toString(16).padStart(4, "0")}>`;
  });
}

/** The beginning of a line, and how much is missing. */
export function shortened(text: string, limit = SHOWN): [string, number] {
  return text.length > limit ? [text.slice(0, limit), text.length - limit] : [text, 0];
}
