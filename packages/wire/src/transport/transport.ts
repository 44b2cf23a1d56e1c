import type { Duplex } from "node:stream";
import { CmcpError } from "@cmcp/boundary";

/**
 * An ordered, reliable byte stream between the two sides, with back-pressure. Destroying it is seen by the
 * other side; nothing is inferred from a half-close.
 */
export type ByteStream = Duplex;

/** Opens byte streams to one fixed address. */
export interface Dialer {
  /** What is dialled, for messages and logs. */
  readonly address: string;
  /** A connected stream. Rejects with `WIRE_UNREACHABLE`, or `REQUEST_CANCELLED` once `signal` aborts. */
  dial(signal: AbortSignal): Promise<ByteStream>;
}

/** Why a dial rejects whose signal aborts. */
export function dialCancelled(): CmcpError {
  return new CmcpError("REQUEST_CANCELLED", "cancelled before a stream was open");
}

/** Accepts byte streams until it is closed. */
export interface Listener {
  /** Stops accepting, destroys the streams accepted so far and releases the address. */
  close(): Promise<void>;
}
