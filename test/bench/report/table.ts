import { isFailure, type Row } from "./row.ts";

function shown(row: Row): string {
  return row.value === null ? "-" : `${Number(row.value.toPrecision(4))} ${row.unit}`.trimEnd();
}

function verdict(row: Row): string {
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
