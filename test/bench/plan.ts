/** How long and how often things are measured. */
export interface Plan {
  readonly mode: "quick" | "full";
  readonly rounds: number;
  /** Load on a side that has just started, and before each measurement, in milliseconds. */
  readonly firstWarmMs: number;
  readonly warmMs: number;
  readonly measureMs: number;
  /** Sessions opened before memory is first looked at, and in all. */
  readonly memory: { readonly from: number; readonly to: number };
  /** Milliseconds for each stage and each rule count. */
  readonly stageMs: number;
  readonly starts: number;
}

/** The whole measurement, some minutes. */
export const FULL: Plan = { mode: "full", rounds: 5, firstWarmMs: 8_000, warmMs: 500, measureMs: 2_500, memory: { from: 10_000, to: 100_000 }, stageMs: 1_000, starts: 5 };

/** About a minute, for a look while working: fewer sessions, shorter rounds. */
export const QUICK: Plan = { mode: "quick", rounds: 3, firstWarmMs: 4_000, warmMs: 300, measureMs: 700, memory: { from: 200, to: 2_000 }, stageMs: 150, starts: 3 };

/** Connections of the two loads. */
export const CONNECTIONS: readonly number[] = [1, 32];

/** What the project holds itself to. */
export const TARGETS = {
  addedP50Ms: 0.6,
  addedP99Ms: 3,
  throughputShare: 0.35,
  cedarGrowth: 1.3,
  heapDrift: 0.05,
  rssDrift: 0.1,
  readyMs: 400,
} as const;

/** The middle of some values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
