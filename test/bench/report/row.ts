/** One line of the report. */
export interface Row {
  readonly what: string;
  /** `null` when there is no figure: it was not measured, or measuring it failed. */
  readonly value: number | null;
  readonly unit: string;
  /** What is aimed at, in words; `null` for a figure that only informs. */
  readonly target: string | null;
  readonly met: boolean | null;
  /** What the figure is made of, or why there is none. */
  readonly detail: string;
}

/** A figure with nothing to hold it against. */
export function figure(what: string, value: number, unit: string, detail: string): Row {
  return { what, value, unit, target: null, met: null, detail };
}

/** What was measured, and the bound it is held to. */
export interface Bounded {
  readonly value: number;
  readonly bound: number;
}

/** A figure with a bound it should not pass. */
export function atMost(what: string, { value, bound }: Bounded, unit: string, detail: string): Row {
  return { what, value, unit, target: `≤ ${bound} ${unit}`.trimEnd(), met: value <= bound, detail };
}

/** A figure with a bound it should reach. */
export function atLeast(what: string, { value, bound }: Bounded, unit: string, detail: string): Row {
  return { what, value, unit, target: `≥ ${bound} ${unit}`.trimEnd(), met: value >= bound, detail };
}

/** A figure that this machine cannot have, and why. */
export function notMeasured(what: string, why: string): Row {
  return { what, value: null, unit: "", target: null, met: null, detail: `not measured: ${why}` };
}

/** A measurement that could not be finished, and why. */
export function failed(what: string, thrown: unknown): Row {
  return {
    what,
    value: null,
    unit: "",
    target: null,
    met: false,
    detail: `failed: ${thrown instanceof Error ? thrown.message : "unknown"}`,
  };
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
