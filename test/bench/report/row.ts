/** One line of the report. */
export interface Row {
  readonly what: string;
  readonly value: number | null;
  readonly unit: string;
  /** What is aimed at, in words; `null` for a figure that only informs. */
  readonly target: string | null;
  readonly met: boolean | null;
  /** What the figure is made of. */
  readonly detail: string;
}

/** A figure with nothing to hold it against. */
export function figure(what: string, value: number, unit: string, detail: string): Row {
  return { what, value, unit, target: null, met: null, detail };
}

/** A figure with a bound it should not pass. */
export function atMost(what: string, value: number, bound: number, unit: string, detail: string): Row {
  return { what, value, unit, target: `≤ ${bound} ${unit}`.trimEnd(), met: value <= bound, detail };
}

/** A figure with a bound it should reach. */
export function atLeast(what: string, value: number, bound: number, unit: string, detail: string): Row {
  return { what, value, unit, target: `≥ ${bound} ${unit}`.trimEnd(), met: value >= bound, detail };
}
