import { median } from "../plan.ts";

/** One line of the report. */
export interface Row {
  readonly what: string;
  /** The figure, or the median of the rounds. `null` when there is none: it was not measured, or measuring it failed. */
  readonly value: number | null;
  /** Lowest and highest of the rounds; `null` for what was measured once. */
  readonly spread: readonly [number, number] | null;
  readonly unit: string;
  /** What is aimed at, in words; `null` for a figure that only informs. */
  readonly target: string | null;
  readonly met: boolean | null;
  /** What the figure is made of, or why there is none. */
  readonly detail: string;
}

/** One value, or that of each round. */
export type Taken = number | readonly number[];

function valueOf(taken: Taken): Pick<Row, "value" | "spread"> {
  if (typeof taken === "number") return { value: taken, spread: null };
  return { value: median(taken), spread: [Math.min(...taken), Math.max(...taken)] };
}

/** A figure with nothing to hold it against. */
export function figure(what: string, taken: Taken, unit: string, detail: string): Row {
  return { what, ...valueOf(taken), unit, target: null, met: null, detail };
}

/** What was measured, and the bound that it, or its median, is held to. */
export interface Bounded {
  readonly value: Taken;
  readonly bound: number;
}

/** A figure with a bound it should not pass. */
export function atMost(what: string, { value: taken, bound }: Bounded, unit: string, detail: string): Row {
  const row = figure(what, taken, unit, detail);
  return { ...row, target: `≤ ${bound} ${unit}`.trimEnd(), met: row.value !== null && row.value <= bound };
}

/** A figure with a bound it should reach. */
export function atLeast(what: string, { value: taken, bound }: Bounded, unit: string, detail: string): Row {
  const row = figure(what, taken, unit, detail);
  return { ...row, target: `≥ ${bound} ${unit}`.trimEnd(), met: row.value !== null && row.value >= bound };
}

/** A figure that this machine cannot have, and why. */
export function notMeasured(what: string, why: string): Row {
  return { what, value: null, spread: null, unit: "", target: null, met: null, detail: `not measured: ${why}` };
}

/** A measurement that could not be finished, and why. */
export function failed(what: string, thrown: unknown): Row {
  const why = thrown instanceof Error ? thrown.message : "unknown";
  return { what, value: null, spread: null, unit: "", target: null, met: false, detail: `failed: ${why}` };
}

/** Whether a row is one of {@link failed}. */
export function isFailure({ value, met }: Row): boolean {
  return value === null && met === false;
}

/** The rows of a measurement; when it fails, the one row that says so. */
export async function attempt(what: string, measure: () => Promise<readonly Row[]>): Promise<readonly Row[]> {
  try {
    return await measure();
  } catch (thrown) {
    return [failed(what, thrown)];
  }
}
