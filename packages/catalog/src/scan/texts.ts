import { isJsonObject, type JsonValue } from "@cmcp/boundary";
import { MAX_NODES, MAX_SCANNED } from "./limits.ts";

/** A text that reaches a model, and where it stands. */
export interface PlacedText {
  readonly path: string;
  readonly text: string;
  /** The name of a member, not its value. */
  readonly isName: boolean;
}

function step(path: string, key: string | number): string {
  return `${path}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/**
 * Every string in `root`, keys included: a model reads property names, titles, defaults and examples as it
 * reads descriptions. `complete` is false when there is more than the scanner reads.
 */
export function textsOf(
  path: string,
  root: JsonValue,
): { readonly texts: readonly PlacedText[]; readonly complete: boolean } {
  const texts: PlacedText[] = [];
  const waiting: { readonly path: string; readonly value: JsonValue }[] = [{ path, value: root }];
  let units = 0;
  let nodes = 0;
  const add = (text: string, at: string, isName: boolean): void => {
    units += text.length;
    if (units <= MAX_SCANNED) texts.push({ path: at, text, isName });
  };
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    nodes += 1;
    if (nodes > MAX_NODES || units > MAX_SCANNED) return { texts, complete: false };
    const { path: at, value } = next;
    if (typeof value === "string") add(value, at, false);
    else if (Array.isArray(value))
      for (const [index, item] of value.entries()) waiting.push({ path: step(at, index), value: item });
    else if (isJsonObject(value)) {
      for (const [key, member] of Object.entries(value)) {
        // Paths grow with depth; together they stay within the same bound as the texts.
        const inner = step(at, key);
        units += inner.length;
        add(key, inner, true);
        waiting.push({ path: inner, value: member });
      }
    }
  }
  return { texts, complete: units <= MAX_SCANNED };
}
