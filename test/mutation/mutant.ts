/** A change of one place of one source file. */
export interface Mutant {
  /** Source file, absolute. */
  readonly file: string;
  /** Offsets of the replaced text, in UTF-16 code units. */
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  /** What kind of change it is. */
  readonly operator: Operator;
}

/** The kinds of change. */
export const OPERATORS = ["condition", "guard", "comparison", "logic", "call", "return", "constant"] as const;
export type Operator = (typeof OPERATORS)[number];

/** A source with the change made. */
export function mutated(source: string, { start, end, replacement }: Mutant): string {
  return source.slice(0, start) + replacement + source.slice(end);
}

/** How a report names a mutant, and how `equivalent/` does: it holds while the line stays, wherever it moves. */
export function nameOf(source: string, mutant: Mutant): string {
  const { start, end, replacement, operator } = mutant;
  return `${operator}: ${oneLine(source.slice(start, end))} → ${oneLine(replacement) || "(nothing)"}`;
}

/** The line a mutant begins on, counted from 1, and its text. */
export function lineOf(source: string, { start }: Mutant): { readonly number: number; readonly text: string } {
  const before = source.slice(0, start).split("\n");
  return { number: before.length, text: source.split("\n")[before.length - 1]?.trim() ?? "" };
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}
