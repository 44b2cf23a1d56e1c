/** Most steps of one check of a value against a schema: characters matched, times the size of the pattern they are matched against. */
export const MAX_WORK = 40_000_000;

let left = MAX_WORK;

/** Begins a check. Checks are synchronous, so there is one at a time. */
export function beginWork(): void {
  left = MAX_WORK;
}

/** Steps that the check under way has taken. */
export function workDone(): number {
  return MAX_WORK - left;
}

/** Takes steps of the check under way. @throws RangeError when they are used up */
export function spend(steps: number): void {
  left -= steps;
  if (left < 0) throw new RangeError("the check takes too many steps");
}
