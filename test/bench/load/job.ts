/** One measurement of one target. */
export interface Job {
  readonly port: number;
  /** Sent as `Authorization: Bearer`; both sides get it, so that both read as many bytes. */
  readonly token: string;
  readonly connections: number;
  readonly warmMs: number;
  readonly measureMs: number;
  /** Processes of the target, whose CPU time is read around the measured calls. */
  readonly pids: readonly number[];
}

/** What was measured; times in milliseconds. */
export interface Measured {
  readonly calls: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU time of the target in microseconds for each call. */
  readonly cpuPerCall: number;
}

/** Opens sessions and leaves them, calling a tool in each that could be opened. */
export interface Abandon {
  readonly port: number;
  readonly token: string;
  /** How many `initialize` to send, each followed by one call. */
  readonly sessions: number;
}

/** What became of the sessions and of the calls in them. */
export interface Abandoned {
  readonly opened: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly calls: number;
  readonly callsRefused: Readonly<Record<string, number>>;
}

/** What the generator can be told to do. */
export type Order = ({ readonly kind: "measure" } & Job) | ({ readonly kind: "abandon" } & Abandon);
