import type { Socket } from "node:net";
import type { CmcpError, Untrusted } from "@cmcp/boundary";

/**
 * Opens a connection that waits until the server connects to its proxy. The bytes of it are the server's from then on.
 * @throws CmcpError `SPAWN_UNAVAILABLE`, also once the server has ended
 */
export type EgressDial = () => Promise<Socket>;

/** Takes one message of a server; nothing more is read until it is done. */
export type MessageHandler = (message: Untrusted<Uint8Array>) => void | Promise<void>;

/**
 * The standard input and output of one running stdio server: JSON-RPC messages, one a line (MCP, Transports,
 * "stdio"). What it writes to standard error is dropped before it gets here.
 */
export interface StdioChannel {
  /** SHA-256 of the tree it runs from, 32 bytes, as it was measured right before it started. */
  readonly digest: Uint8Array;
  /** Opens connections of its way out; `null` for a server without one. */
  readonly egress: EgressDial | null;
  /**
   * Why it is over: `UPSTREAM_UNAVAILABLE` when the server ended or {@link close} was called, `RESPONSE_SIZE_EXCEEDED`
   * for a message over the bound, `UPSTREAM_TIMEOUT` when it read a part of a message and not the rest, or what the
   * handler threw. Never rejects.
   */
  readonly closed: Promise<CmcpError>;
  /** Names who takes the messages. Once; until then nothing is read. */
  onMessage(handler: MessageHandler): void;
  /**
   * Sends one message, without a line end; resolves when the system has taken it. Messages leave one after the other.
   * When `signal` aborts, a message that has not begun to leave is taken back. One that has may still go on for
   * {@link STUCK_MS}. A server that does not read the rest in that time is ended.
   * @throws CmcpError `OVERLOADED` while the server leaves {@link MAX_UNREAD_BYTES} unread, `UPSTREAM_UNAVAILABLE` when
   * it is over, the signal's reason; `detail.sent` is 1 where a part of the message may have left
   */
  send(message: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Ends the server's input and, if it does not leave by itself, the server; resolves when it is gone. */
  close(): Promise<void>;
}
