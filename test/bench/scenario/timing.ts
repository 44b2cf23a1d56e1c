import { performance } from "node:perf_hooks";
import { median } from "../plan.ts";

/** Repetitions timed together: one alone is too short for the clock. */
const BATCH = 8;

/** Microseconds one run of `work` takes, the middle of many batches; the first half of the time only warms up. */
export async function microseconds(work: () => unknown, milliseconds: number): Promise<number> {
  const taken: number[] = [];
  const started = performance.now();
  while (performance.now() - started < milliseconds * 2) {
    const before = performance.now();
    for (let repeat = 0; repeat < BATCH; repeat += 1) {
      const result = work();
      if (result instanceof Promise) await result;
    }
    const after = performance.now();
    if (after - started > milliseconds) taken.push(((after - before) * 1000) / BATCH);
  }
  return median(taken);
}
