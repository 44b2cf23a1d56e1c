/** How long and how often things are measured. */
export interface Plan {
  readonly mode: "quick" | "full";
  readonly rounds: number;
  /** Load on a side that has just started, and before each measurement, in milliseconds. */
  readonly firstWarmMs: number;
  /** Calls whose record a start has to read are made for this long, in milliseconds. */
  readonly recordMs: number;
  readonly warmMs: number;
  readonly measureMs: number;
  /** Sessions opened before memory is first looked at, and in all; milliseconds after which no more are opened, however few there were. */
  readonly memory: { readonly from: number; readonly to: number; readonly withinMs: number };
  /** Milliseconds for each stage, each rule count and each kind of evidence. */
  readonly stageMs: number;
  readonly starts: number;
  /** Calls whose record starts are measured after, and principals that made them. */
  readonly history: { readonly principals: number; readonly calls: readonly number[] };
  /** How often evidence is collected from a TPM. */
  readonly collections: number;
  readonly streams: {
    /** Streamed results of one round, one after the other, whose first byte is awaited. */
    readonly firstBytes: number;
    /** Streams open at the same time, and for how long. */
    readonly concurrent: number;
    readonly seconds: number;
    /** Sessions, and streams, whose memory is looked at. */
    readonly idleSessions: number;
    readonly openStreams: number;
  };
  /** Sessions that are open at the same time and call tools of that many servers. */
  readonly manySessions: { readonly sessions: number; readonly upstreams: number };
}

/** The whole measurement, within a quarter of an hour. */
export const FULL: Plan = {
  mode: "full",
  rounds: 5,
  firstWarmMs: 30_000,
  recordMs: 8_000,
  warmMs: 500,
  measureMs: 2_500,
  memory: { from: 10_000, to: 100_000, withinMs: 360_000 },
  stageMs: 1_000,
  starts: 5,
  history: { principals: 1_000, calls: [1_000, 100_000, 1_000_000] },
  collections: 20,
  streams: { firstBytes: 200, concurrent: 200, seconds: 60, idleSessions: 1_000, openStreams: 200 },
  manySessions: { sessions: 1_000, upstreams: 20 },
};

/** A few minutes, for a look while working: fewer sessions, shorter rounds. */
export const QUICK: Plan = {
  mode: "quick",
  rounds: 3,
  firstWarmMs: 12_000,
  recordMs: 4_000,
  warmMs: 300,
  measureMs: 700,
  memory: { from: 1_000, to: 3_000, withinMs: 60_000 },
  stageMs: 150,
  starts: 3,
  history: { principals: 1_000, calls: [1, 1_000, 20_000] },
  collections: 5,
  streams: { firstBytes: 50, concurrent: 20, seconds: 3, idleSessions: 200, openStreams: 20 },
  manySessions: { sessions: 50, upstreams: 4 },
};

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
  historyGrowth: 1.3,
  firstByteRatio: 1.5,
  sessionKiB: 8,
  streamKiB: 64,
  verifySnpMs: 3,
  verifyTdxMs: 15,
  verifyTpmMs: 10,
  collectTpmMs: 500,
  browserBundleKiB: 150,
  measureSeconds: 1,
} as const;

/** The middle of some values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
