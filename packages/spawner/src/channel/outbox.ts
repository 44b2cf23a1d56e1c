import type { Socket } from "node:net";
import { CmcpError, asCmcpError, type BufferShare } from "@cmcp/boundary";
import { MAX_UNREAD_BYTES, STUCK_MS } from "../limits.ts";

/** One line on its way to a server. */
interface Outgoing {
  readonly line: Uint8Array;
  readonly end: PromiseWithResolvers<void>;
}

function gone(sent: boolean, cause?: unknown): CmcpError {
  return new CmcpError("UPSTREAM_UNAVAILABLE", "the stdio server ended before it had read the message", {
    cause,
    detail: { sent: sent ? 1 : 0 },
  });
}

/** The reason of a signal, as an error that says whether anything left. */
function givenUp({ reason }: AbortSignal, sent: boolean): CmcpError {
  const { code, message, detail } = asCmcpError(reason, "REQUEST_CANCELLED", "the caller went away");
  return new CmcpError(code, message, { cause: reason, detail: { ...detail, sent: sent ? 1 : 0 } });
}

/**
 * Lines on their way to a server, one after the other. A line that has not begun to leave can be taken back. Nothing
 * can follow a line that has begun until it is whole.
 */
export class Outbox {
  readonly #socket: Socket;
  readonly #buffered: BufferShare | undefined;
  readonly #stuck: () => void;
  readonly #waiting = new Set<Outgoing>();
  #leaving: Outgoing | undefined;
  #bytes = 0;

  /**
   * @param stuck called once a line that nobody waits for any more has left in part and does not go on
   * @param buffered counts what has not left
   */
  constructor(socket: Socket, stuck: () => void, buffered?: BufferShare) {
    this.#socket = socket;
    this.#stuck = stuck;
    this.#buffered = buffered;
  }

  /**
   * Sends a line, its line feed included; resolves when the system has taken it.
   * @throws CmcpError `OVERLOADED` while {@link MAX_UNREAD_BYTES} are unread, `UPSTREAM_UNAVAILABLE`, the signal's
   * reason; `detail.sent` is 0 where nothing of it left
   */
  async send(line: Uint8Array, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw givenUp(signal, false);
    if (this.#bytes + line.byteLength > MAX_UNREAD_BYTES)
      throw new CmcpError("OVERLOADED", "the stdio server does not read what it is sent", { detail: { sent: 0 } });
    this.#buffered?.take(line.byteLength);
    this.#bytes += line.byteLength;
    const outgoing: Outgoing = { line, end: Promise.withResolvers() };
    const abort = (): void => this.#giveUp(outgoing, signal);
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.add(outgoing);
    this.#next();
    try {
      await outgoing.end.promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Begins with the next line; after the socket's end none can follow. */
  #next(): void {
    if (this.#leaving !== undefined) return;
    if (!this.#socket.writable) for (const outgoing of this.#waiting) this.#takeBack(outgoing, gone(false));
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#leaving = next;
    this.#socket.write(next.line, (error) => {
      this.#leaving = undefined;
      this.#free(next);
      if (error == null) next.end.resolve();
      else next.end.reject(gone(true, error));
      this.#next();
    });
  }

  #giveUp(outgoing: Outgoing, signal: AbortSignal): void {
    if (this.#waiting.has(outgoing)) {
      this.#takeBack(outgoing, givenUp(signal, false));
      return;
    }
    outgoing.end.reject(givenUp(signal, true));
    // The rest may follow by itself. Where it does not, nothing else can ever be sent.
    setTimeout(() => {
      if (this.#leaving === outgoing) this.#stuck();
    }, STUCK_MS).unref();
  }

  #takeBack(outgoing: Outgoing, why: CmcpError): void {
    this.#waiting.delete(outgoing);
    this.#free(outgoing);
    outgoing.end.reject(why);
  }

  #free({ line }: Outgoing): void {
    this.#bytes -= line.byteLength;
    this.#buffered?.release(line.byteLength);
  }
}
