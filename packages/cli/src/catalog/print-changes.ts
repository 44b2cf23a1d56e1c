import { visibleText, type EntryChange } from "@cmcp/catalog";
import type { JsonObject } from "@cmcp/boundary";

/** Longest value that a line shows, in characters. What follows is counted. */
const MAX_SHOWN = 4_096;

/** Changes of a catalog as lines for people. Characters that are not seen have their code points. */
export function changeLines(changes: readonly EntryChange[]): readonly string[] {
  if (changes.length === 0) return ["no entry changed"];
  return changes.flatMap(({ section, name, change, values }) => [
    `${change}: ${section.slice(0, -1)} ${visibleText(name)}`,
    ...values.flatMap(({ part, path, before, after }) => [
      `  ${part}: ${visibleText(path)}`,
      ...(before === null ? [] : [`    - ${shown(before)}`]),
      ...(after === null ? [] : [`    + ${shown(after)}`]),
    ]),
  ]);
}

function shown(text: string): string {
  const rest = text.length - MAX_SHOWN;
  return rest > 0 ? `${visibleText(text.slice(0, MAX_SHOWN))} … and ${rest} more characters` : visibleText(text);
}

/** Changes of a catalog as JSON has them in every command. */
export function changesJson(changes: readonly EntryChange[]): readonly JsonObject[] {
  return changes.map(({ section, name, change, values }) => ({
    section,
    name,
    change,
    values: values.map((value) => ({ ...value })),
  }));
}
