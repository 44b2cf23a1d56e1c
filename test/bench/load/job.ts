import type { Pace } from "../stream-call.ts";

/** Who calls, and what: principals and tools take turns. */
export interface Callers {
  readonly port: number;
  /** Sent as `Authorization: Bearer`; every side gets it, so that all read as many bytes. */
  readonly tokens: readonly string[];
  readonly tools: readonly string[];
}

/** One measurement of one target. */
export interface Job extends Callers {
  readonly connections: number;
  readonly warmMs: number;
  readonly measureMs: number;
  /** Processes of the target, whose CPU time is read around the measured calls. */
  readonly pids: readonly number[];
  /** The handle of an open session that all calls are made in, under the first token; without it each connection opens its own. */
  readonly handle?: string;
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

/** Calls at a fixed rate. */
export interface Paced extends Callers {
  readonly perSecond: number;
  readonly warmMs: number;
  readonly measureMs: number;
}

/** What was measured, in milliseconds from the moment a call was to be sent at. */
export interface PacedServed {
  readonly calls: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** How late the generator itself was with a call, which is part of the above. */
  readonly lateP50: number;
  readonly lateP99: number;
}

/** One call under the seal. */
export interface Sizing extends Callers {
  /** Bytes of the call's body. */
  readonly bytes: number;
  /** Whether the request is padded; the gateway's configuration says whether its answer is. */
  readonly padded: boolean;
}

/** Bytes of bodies, as HTTP carries them. */
export interface Sized {
  readonly request: number;
  readonly sealedRequest: number;
  readonly answer: number;
  readonly sealedAnswer: number;
}

/** Sessions to open and to call in, all of them in turn. */
export interface Fill extends Callers {
  readonly sessions: number;
  /** Calls in each. */
  readonly calls: number;
  /** Bytes of a call's body. */
  readonly bytes: number;
  readonly connections: number;
}

/** A session that is open, with its id and the handle that its requests carry. */
export interface OpenSession {
  readonly token: string;
  readonly session: string;
  readonly handle: string;
}

/** The sessions, and how long the calls took, in milliseconds. */
export interface Filled {
  readonly ms: number;
  readonly sessions: readonly OpenSession[];
}

/** Requests to be sent at once, each on a connection of its own. */
export interface Burst {
  readonly port: number;
  /** Milliseconds after which what is not answered is given up. */
  readonly withinMs: number;
  readonly requests: readonly { readonly method: "GET" | "POST"; readonly path: string; readonly token: string }[];
}

/** What became of the requests. */
export interface BurstServed {
  readonly ms: number;
  /** Bytes of the answers that were 200 and came to their end, and their number. */
  readonly bytes: number;
  readonly whole: number;
  /** Statuses of other answers, and errors of connections. */
  readonly refused: readonly string[];
}

/** The whole of `tools/list`, page by page, as often as it takes. */
export interface Listing {
  readonly port: number;
  readonly token: string;
  readonly times: number;
}

/** Milliseconds of each page, and tools of one whole list. */
export interface Listed {
  readonly pages: readonly number[];
  readonly tools: number;
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

/**
 * What the generator can be told to do: `read` takes streams one after the other, `together` all at once, `hold`
 * keeps them open until `release`.
 */
export type Order =
  | ({ readonly kind: "measure" } & Job)
  | ({ readonly kind: "measure-sealed" } & Job)
  | ({ readonly kind: "paced" | "paced-sealed" } & Paced)
  | ({ readonly kind: "size-sealed" } & Sizing)
  | ({ readonly kind: "fill" } & Fill)
  | ({ readonly kind: "burst" } & Burst)
  | ({ readonly kind: "list" } & Listing)
  | ({ readonly kind: "abandon" } & Abandon)
  | ({ readonly kind: "crowd" } & Crowd)
  | ({ readonly kind: "read" | "together" | "hold" } & Streams)
  | { readonly kind: "release" };
