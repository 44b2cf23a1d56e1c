/** What one agent, or all of them together, may make the host hold or wait for. */
export interface FrontLimits {
  /** Bytes of a request body; more is 413. */
  readonly bodyBytes: number;
  /** Bytes of path and query; more is 400. */
  readonly targetBytes: number;
  /** Bytes of request line and headers together; more is 431. */
  readonly headerBytes: number;
  /** Number of request headers; more is 431. */
  readonly headerCount: number;
  /** Bytes of one forwarded header value; more is 400. */
  readonly headerValueBytes: number;
  /** Milliseconds from the first byte to the end of the headers. */
  readonly headersMs: number;
  /** Milliseconds from the first byte to the end of the body. */
  readonly requestMs: number;
  /** Milliseconds until the enclave's response head must have come. */
  readonly answerMs: number;
  /** Milliseconds a response may wait for an agent that does not read. */
  readonly stallMs: number;
  /** Milliseconds an idle connection is kept. */
  readonly keepAliveMs: number;
  /** Open connections. */
  readonly connections: number;
  /** Milliseconds that open responses get to finish at shutdown. */
  readonly drainMs: number;
}

export const FRONT_LIMITS: FrontLimits = {
  bodyBytes: 4 * 1024 * 1024,
  targetBytes: 8 * 1024,
  headerBytes: 16 * 1024,
  headerCount: 64,
  headerValueBytes: 8 * 1024,
  headersMs: 10_000,
  requestMs: 60_000,
  answerMs: 600_000,
  stallMs: 60_000,
  keepAliveMs: 30_000,
  connections: 1024,
  drainMs: 5_000,
};

/** Bytes and milliseconds spent on reading away the rest of a refused body, so that the refusal arrives. */
export const LINGER_BYTES = 16 * 1024 * 1024;
export const LINGER_MS = 2_000;
