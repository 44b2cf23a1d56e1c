import { CmcpError, type ErrorCode, type Untrusted } from "@cmcp/boundary";
import type { Opening, ResponseHead } from "./frame.ts";
import type { BodyLimit } from "./limits.ts";

/** One side's body as it arrives, for one reader. */
export interface IncomingBody extends AsyncIterable<Untrusted<Uint8Array>> {
  /** Takes the rest of the body if all of it has arrived; else `null`. */
  whole(): readonly Untrusted<Uint8Array>[] | null;
}

/** The opener's side of one exchange. */
export interface OutgoingExchange {
  /** The responder's head. Rejects with the code of its error frame, or of what ended the exchange. */
  readonly head: Promise<ResponseHead>;
  /** The responder's body, for one reader. Leaving the loop before its end closes the stream. */
  readonly body: IncomingBody;
  /** Sends body bytes; resolves when more may be sent. */
  write(chunk: Uint8Array): Promise<void>;
  /** Says that this side has sent everything. */
  end(): Promise<void>;
  /**
   * Closes the stream, which is how the responder learns of a cancellation. Nothing happens once the exchange is
   * complete.
   */
  abort(): void;
}

/** The responder's side of one exchange. */
export interface IncomingExchange {
  readonly opening: Opening;
  /** The opener's body, for one reader. What is left unread when the handler is done is discarded. */
  readonly body: IncomingBody;
  /**
   * Aborts when the exchange ends early: the opener closed the stream, broke the protocol, or was idle too long.
   */
  readonly signal: AbortSignal;
  /** Sends status and header fields, once, before any body. */
  respond(head: ResponseHead): Promise<void>;
  /** Sends body bytes; resolves when more may be sent. */
  write(chunk: Uint8Array): Promise<void>;
  /** Says that this side has sent everything. */
  end(): Promise<void>;
  /** Ends this side with an error, before or after the head. The message must not carry payload. */
  fail(code: ErrorCode, message: string): Promise<void>;
}

/** Counts one direction's body against its limit. */
export class BodyMeter {
  readonly #limit: BodyLimit;
  #bytes = 0;
  #frames = 0;

  constructor(limit: BodyLimit) {
    this.#limit = limit;
  }

  /** @throws CmcpError `WIRE_EXCHANGE_TOO_LARGE`. */
  count(bytes: number): void {
    this.#bytes += bytes;
    this.#frames += 1;
    if (this.#bytes > this.#limit.bytes)
      throw new CmcpError("WIRE_EXCHANGE_TOO_LARGE", `a body is larger than ${this.#limit.bytes} bytes`);
    if (this.#frames > this.#limit.frames)
      throw new CmcpError("WIRE_EXCHANGE_TOO_LARGE", `a body has more than ${this.#limit.frames} frames`);
  }
}
