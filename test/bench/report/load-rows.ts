import type { Measured } from "../load/job.ts";
import { figure, type Row } from "./row.ts";

/** Figures of calls under load: how they are called, and their units. */
const FIGURES = { p50: ["p50", "ms"], p99: ["p99", "ms"], perSecond: ["calls/s", "/s"] } as const;

/** Rows of what was measured in each round at some connections. */
export function loadRows(
  { name, connections }: { readonly name: string; readonly connections: number },
  rounds: readonly Measured[],
  figures: readonly (keyof typeof FIGURES)[],
): Row[] {
  return figures.map((key) => {
    const [what, unit] = FIGURES[key];
    const taken = rounds.map((round) => round[key]);
    return figure(`${name}, ${connections} conn: ${what}`, taken, unit, "");
  });
}
