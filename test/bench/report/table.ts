import { isFailure, type Row } from "./row.ts";

function digits(value: number): string {
  return `${Number(value.toPrecision(3))}`;
}

/** A figure with its spread and unit. */
export function shown({ value, spread, unit }: Row): string {
  if (value === null) return "-";
  const range = spread === null ? "" : ` (${spread.map(digits).join(" to ")})`;
  return `${digits(value)}${range} ${unit}`.trimEnd();
}

/** Whether the target is met, in a word. */
export function verdict(row: Row): string {
  if (isFailure(row)) return "FAILED";
  return row.met === null ? "" : row.met ? "pass" : "MISS";
}

/** Rows under one title, as text. */
export function table(title: string, rows: readonly Row[]): string {
  const cells = rows.map((row) => [row.what, shown(row), row.target ?? "", verdict(row), row.detail]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...cells.map((line) => (line[column] ?? "").length)));
  const lines = cells.map((line) =>
    `  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd(),
  );
  return `${title}\n${lines.join("\n")}\n`;
}
