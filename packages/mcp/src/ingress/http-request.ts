import type { BufferShare } from "@cmcp/boundary";

/** Header fields as they are looked up: web-standard `Headers` are such. */
export interface RequestHeaders {
  /** The value of a field by its lower-case name, `null` where it was not sent. */
  get(name: string): string | null;
}

/**
 * What is read of an agent's HTTP request. A web-standard `Request` is one; the enclave hands over the plain record,
 * because making a `Request` and its stream is a noticeable part of a call.
 */
export interface HttpRequest {
  readonly method: string;
  /** Absolute. Scheme and host say nothing. */
  readonly url: string;
  readonly headers: RequestHeaders;
  /** `null` where the method has none. It can be read once; leaving it early gives the rest up. */
  readonly body: AsyncIterable<Uint8Array> | null;
  /** All of the body where its end has come, as that of nearly every request has; it is read by that. `null` where more is to come. */
  readonly whole?: () => readonly Uint8Array[] | null;
  /** Aborted once the agent is gone. */
  readonly signal: AbortSignal;
  /**
   * Counts what is held of the request and of its answer. Whoever makes it frees it once the exchange is over;
   * without it nothing is counted.
   */
  readonly buffered?: BufferShare;
}
