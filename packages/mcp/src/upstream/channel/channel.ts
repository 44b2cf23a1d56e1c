import type { CmcpError } from "@cmcp/boundary";
import type { RpcMessage } from "../../jsonrpc/message.ts";
import type { ExchangeCaller } from "../exchange.ts";

/** A connection that carries messages both ways, in order: the old HTTP with SSE, or a process's standard input and output. */
export interface MessageChannel {
  /**
   * Sends one message, and gives it up when the caller's `signal` aborts: whoever sends bounds the time. A connection that is of no use
   * after half a message ends by itself.
   * @throws CmcpError when it cannot have reached the server whole, `detail.sent` 1 where a part of it may have
   */
  send(text: string, caller: ExchangeCaller): Promise<void>;
  /** Why it is over. Never rejects. */
  readonly closed: Promise<CmcpError>;
  /** Ends the connection. Never throws. */
  close(): Promise<void>;
}

/** Who takes what the server at the other end of a channel sends. */
export interface Receiver {
  /**
   * Whether the server may send several messages in one piece. It changes with what is received, so every piece is
   * read by what it is then.
   */
  readonly batches: boolean;
  /** Takes one message; nothing more is read until it is done. */
  received(message: RpcMessage): Promise<void>;
}

/** Opens a connection; `receiver` takes every message of the server. */
export type OpenChannel = (receiver: Receiver, signal: AbortSignal) => Promise<MessageChannel>;
