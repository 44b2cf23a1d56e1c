import type { Pace } from "../stream-call.ts";

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
  /** Milliseconds after which no further session is opened. */
  readonly withinMs: number;
}

/** What became of the sessions and of the calls in them. */
export interface Abandoned {
  readonly opened: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly calls: number;
  readonly callsRefused: Readonly<Record<string, number>>;
}

/** Sessions that are all open at once, each calling its own tool. */
export interface Crowd {
  readonly port: number;
  readonly token: string;
  readonly sessions: number;
  readonly callsEach: number;
  readonly connections: number;
  /** Session i calls tool i modulo their number. */
  readonly tools: readonly string[];
}

/** What a crowd got done. */
export interface CrowdServed {
  readonly calls: number;
  readonly perSecond: number;
}

/** Streamed results, each in a session of its token. */
export interface Streams {
  readonly port: number;
  /** One session each; streams take turns. */
  readonly tokens: readonly string[];
  readonly streams: number;
  readonly pace: Pace;
}

/** What arrived of some streams. */
export interface StreamsRead {
  /** Milliseconds from the request to the first byte of each result. */
  readonly p50: number;
  readonly p99: number;
  /** Streams that ended with their result after every progress event in order. */
  readonly whole: number;
  /** Progress events that arrived, of all streams. */
  readonly events: number;
  /** Most streams that were open at one time, each from its first byte to its end. */
  readonly mostOpen: number;
  /** Why streams were not whole. */
  readonly broken: Readonly<Record<string, number>>;
}

/** What the generator can be told to do: `read` takes streams one after the other, `together` all at once, `hold` keeps them open until `release`. */
export type Order =
  | ({ readonly kind: "measure" } & Job)
  | ({ readonly kind: "abandon" } & Abandon)
  | ({ readonly kind: "crowd" } & Crowd)
  | ({ readonly kind: "read" | "together" | "hold" } & Streams)
  | { readonly kind: "release" };
