/**
 * The fewest items that still fail, found by leaving out ever smaller parts (Zeller and Hildebrandt, "Simplifying and
 * Isolating Failure-Inducing Input", 2002): no single one can be left out of what is returned.
 *
 * @param fails whether these items, in their order, still fail; asked at most `budget` times
 */
export async function shrink<T>(
  items: readonly T[],
  fails: (items: readonly T[]) => Promise<boolean>,
  budget = 120,
): Promise<readonly T[]> {
  let current = items;
  let left = budget;
  let parts = 2;
  while (current.length > 0 && left > 0) {
    const size = Math.ceil(current.length / parts);
    let smaller: readonly T[] | null = null;
    for (let from = 0; from < current.length && left > 0 && smaller === null; from += size) {
      const rest = [...current.slice(0, from), ...current.slice(from + size)];
      left -= 1;
      if (await fails(rest)) smaller = rest;
    }
    if (smaller !== null) {
      current = smaller;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) return current;
    else parts = Math.min(current.length, parts * 2);
  }
  return current;
}
