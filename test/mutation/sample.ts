import { sample, shuffledSubarray } from "fast-check";
import type { Mutant } from "./mutant.ts";

/** What to draw: so many mutants that the compiler accepts, in the order of a seed. */
export interface Draw {
  readonly seed: number;
  readonly count: number;
  readonly accepts: (mutant: Mutant) => boolean;
}

/** Draws mutants; the same seed over the same sources draws the same ones. */
export function drawn(mutants: readonly Mutant[], { seed, count, accepts }: Draw): Mutant[] {
  const all = shuffledSubarray([...mutants], { minLength: mutants.length });
  const found: Mutant[] = [];
  for (const mutant of sample(all, { seed, numRuns: 1 }).flat()) {
    if (found.length >= count) break;
    if (accepts(mutant)) found.push(mutant);
  }
  return found;
}
