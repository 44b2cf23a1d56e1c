import type { CmcpError } from "@cmcp/boundary";
import type { RpcMessage } from "../../jsonrpc/message.ts";

/** A connection that carries messages both ways, in order: the old HTTP with SSE, or a process's standard input and output. */
export interface MessageChannel {
  /**
   * Sends one message, and gives it up when `signal` aborts: whoever sends bounds the time. A connection that is of no use
   * after half a message ends by itself.
   * @throws CmcpError when it cannot have reached the server whole, `detail.sent` 1 where a part of it may have
   */
  send(text: string, signal: AbortSignal): Promise<void>;
  /** Why it is over. Never rejects. */
  readonly closed: Promise<CmcpError>;
  /** Ends the connection. Never throws. */
  close(): Promise<void>;
}

/** Opens a connection; `received` takes every message of the server, and nothing more is read until it is done. */
export type OpenChannel = (received: (message: RpcMessage) => Promise<void>, signal: AbortSignal) => Promise<MessageChannel>;
