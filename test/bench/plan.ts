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
  /** Calls whose record starts are measured after, those of the section `million`, and principals that made them. */
  readonly history: {
    readonly principals: number;
    readonly calls: readonly number[];
    readonly many: readonly number[];
  };
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
  /** Calls a second of the loads whose latency is measured. */
  readonly rates: readonly number[];
  /** Calls of a long session. */
  readonly longCalls: number;
  readonly storm: {
    /** How often what others do is measured alone and during a storm, and for how long, in milliseconds. */
    readonly rounds: number;
    readonly measureMs: number;
    /** Sessions that are closed at once, and calls in each. */
    readonly sessions: number;
    readonly calls: number;
    /** Exports of a long session at once. */
    readonly exports: number;
  };
  /** Sessions that are open at a stop. */
  readonly stopSessions: number;
  /** Calls whose record's bytes on disk are counted. */
  readonly diskCalls: number;
}

/** The whole measurement. The sections that are measured without being named take a quarter of an hour. */
export const FULL: Plan = {
  mode: "full",
  rounds: 5,
  firstWarmMs: 20_000,
  recordMs: 8_000,
  warmMs: 500,
  measureMs: 1_500,
  memory: { from: 10_000, to: 100_000, withinMs: 360_000 },
  stageMs: 1_000,
  starts: 5,
  history: { principals: 1_000, calls: [1_000, 100_000], many: [1_000, 1_000_000] },
  collections: 20,
  streams: { firstBytes: 200, concurrent: 200, seconds: 20, idleSessions: 1_000, openStreams: 200 },
  manySessions: { sessions: 1_000, upstreams: 20 },
  rates: [200, 500],
  longCalls: 40_000,
  storm: { rounds: 5, measureMs: 5_000, sessions: 64, calls: 300, exports: 32 },
  stopSessions: 50_000,
  diskCalls: 60_000,
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
  history: { principals: 1_000, calls: [1_000, 20_000], many: [1_000, 100_000] },
  collections: 5,
  streams: { firstBytes: 50, concurrent: 20, seconds: 3, idleSessions: 200, openStreams: 20 },
  manySessions: { sessions: 50, upstreams: 4 },
  rates: [50],
  longCalls: 4_000,
  storm: { rounds: 3, measureMs: 4_000, sessions: 64, calls: 50, exports: 32 },
  stopSessions: 2_000,
  diskCalls: 20_000,
};

/** Connections of the two loads. */
export const CONNECTIONS: readonly number[] = [1, 32];

/** What the project holds itself to. */
export const TARGETS = {
  addedP50Ms: 0.6,
  addedP99Ms: 3,
  throughputShare: 0.35,
  sealedShare: 0.7,
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
  longCallGrowth: 1.3,
  otherP99: 3,
  enclaveMiB: 640,
  pageGrowth: 2,
  diskBytes: 600,
} as const;

/** The middle of some values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
