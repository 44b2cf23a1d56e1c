import type { IncomingHttpHeaders } from "node:http";
import { CmcpError, asCmcpError, type BufferShare } from "@cmcp/boundary";
import type { Dispatcher } from "undici";
import type { Dispatch } from "./authorization.ts";
import { errors } from "./undici.ts";
import type { Connection, ServerAuthentication } from "./authentication.ts";
import { protocolFault, upstreamFault, withSent } from "./fault.ts";
import { ExchangeClock } from "./exchange-clock.ts";
import type { UpstreamLimits } from "./options.ts";

export interface HttpRequest {
  readonly method: "POST" | "DELETE" | "GET";
  readonly path: string;
  /** Of this request alone, as undici may keep them. */
  readonly headers: Record<string, string>;
  readonly body: string | null;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** Who an exchange is for. */
export interface ExchangeCaller {
  /** Aborts when nobody needs the answer. */
  readonly signal: AbortSignal;
  /** Takes who is at the other end, before a byte of the request leaves, where an authority says so. */
  authenticated?(server: ServerAuthentication): void;
}

/** What bounds an exchange. */
export interface ExchangeBounds {
  readonly limits: UpstreamLimits;
  readonly caller: ExchangeCaller;
  /** What the exchange holds of the answer until it is released or abandoned. */
  readonly buffered: BufferShare;
}

/** What undici reports, in terms of what the tool server did. */
function faultOf(error: Error, sent: boolean): CmcpError {
  if (error instanceof CmcpError) return withSent(error, sent);
  const lost =
    error instanceof errors.SocketError ||
    error instanceof errors.ClientDestroyedError ||
    error instanceof errors.ClientClosedError ||
    "syscall" in error;
  if (lost || !sent)
    return upstreamFault("UPSTREAM_UNAVAILABLE", "the connection to the tool server was lost", sent, { cause: error });
  return protocolFault("the tool server's answer is not valid HTTP", {}, error);
}

/** Who waits while nobody does. */
const NOBODY = (): void => undefined;

/** One HTTP exchange with a tool server, bounded in time and size from its first wait to its last byte. */
export class HttpExchange implements Dispatcher.DispatchHandler {
  readonly #limits: UpstreamLimits;
  readonly #clock: ExchangeClock;
  readonly #caller: ExchangeCaller;
  #connection: Connection | undefined;
  readonly #chunks: Uint8Array[] = [];
  /** The bytes of {@link #chunks}, and of what was read and not said to be consumed. */
  readonly #buffered: BufferShare;
  #controller: Dispatcher.DispatchController | undefined;
  #head: ResponseHead | undefined;
  #failure: CmcpError | undefined;
  #sent = false;
  #ended = false;
  #released = false;
  #received = 0;
  #wake = NOBODY;
  #close: () => void = () => undefined;
  /** Resolves when the exchange is over, one way or the other. */
  readonly closed: Promise<void>;

  constructor(dispatcher: Dispatch, request: HttpRequest, { limits, caller, buffered }: ExchangeBounds) {
    this.#buffered = buffered;
    this.#limits = limits;
    this.#clock = new ExchangeClock(limits.totalMs, (what, waitedMs) => {
      this.#fail(
        upstreamFault(
          "UPSTREAM_TIMEOUT",
          `the tool server took too long: waited ${Math.round(waitedMs)} ms for ${what}`,
          this.#sent,
        ),
      );
    });
    this.#caller = caller;
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
    this.#within(limits.totalMs, "a connection");
    const { signal } = caller;
    signal.addEventListener("abort", this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
    else dispatcher.dispatch(request, this);
  }

  /** True once bytes of the request may have left. */
  get sent(): boolean {
    return this.#sent;
  }

  /** Status and headers. Throws the fault that ended the exchange first. */
  async head(): Promise<ResponseHead> {
    for (;;) {
      if (this.#head !== undefined) return this.#head;
      if (this.#failure !== undefined) throw this.#failure;
      await this.#change();
    }
  }

  /** The next piece of the body, `null` at its end. What arrived before a lost connection is still given. */
  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) return chunk;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return null;
      await this.#change();
    }
  }

  /** Says that what was read is held no longer. */
  consumed(): void {
    this.#buffered.shrinkTo(this.#chunks.reduce((sum, { byteLength }) => sum + byteLength, 0));
  }

  /** The rest of the body in one piece. */
  async readAll(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for (let chunk = await this.read(); chunk !== null; chunk = await this.read()) chunks.push(chunk);
    const [only] = chunks;
    return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
  }

  /**
   * Waits for the caller, who is no concern of the server's: the clock stands still meanwhile, once for all that is waited
   * for at the same time. Whoever gives the work bounds it.
   */
  hold<T>(work: Promise<T>): Promise<T> {
    return this.#clock.hold(work, () => {
      if (!this.#ended && !this.#released && this.#failure === undefined)
        this.#within(this.#limits.idleMs, "more of the answer's body");
    });
  }

  /** Lets the answer end by itself for a moment, so that the connection can be used again, then drops it. */
  release(graceMs: number): void {
    this.#chunks.length = 0;
    this.#buffered.free();
    if (this.#ended || this.#failure !== undefined) return;
    this.#released = true;
    this.#within(graceMs, "the end of the answer");
    this.#caller.signal.removeEventListener("abort", this.#onAbort);
  }

  /** Drops the exchange and its connection; does nothing when it has ended. */
  abandon(): void {
    this.#buffered.free();
    this.#fail(upstreamFault("REQUEST_CANCELLED", "the exchange was abandoned", this.#sent));
  }

  /** Takes the connection that the request is for. It may have to be made first, and made again. */
  dispatched(connection: Connection): void {
    this.#connection = connection;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#failure !== undefined) {
      controller.abort(this.#failure);
      return;
    }
    const server = this.#connection?.authentication ?? null;
    if (server !== null) this.#caller.authenticated?.(server);
    this.#sent = true;
    this.#within(this.#limits.headersMs, "the answer's headers");
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // Interim answers (RFC 9110 section 15.2) do not extend the wait for the final one.
    if (status < 200) return;
    if (Number(headers["content-length"] ?? 0) > this.#limits.maxResponseBytes) return this.#tooLarge();
    this.#head = { status, headers };
    this.#within(this.#limits.idleMs, "the answer's body");
    this.#changed();
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#received += chunk.byteLength;
    if (this.#received > this.#limits.maxResponseBytes) return this.#tooLarge();
    if (this.#released) return;
    try {
      this.#buffered.take(chunk.byteLength);
    } catch (thrown) {
      return this.#fail(faultOf(asCmcpError(thrown, "INTERNAL", "the answer could not be held"), true));
    }
    this.#chunks.push(chunk);
    this.#within(this.#limits.idleMs, "more of the answer's body");
    this.#changed();
  }

  onResponseEnd(): void {
    this.#ended = true;
    this.#finish();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#failure ??= faultOf(error, this.#sent);
    this.#finish();
  }

  readonly #onAbort = (): void => {
    const reason: unknown = this.#caller.signal.reason;
    this.#fail(withSent(asCmcpError(reason, "REQUEST_CANCELLED", "the caller went away"), this.#sent));
  };

  #tooLarge(): void {
    const { maxResponseBytes } = this.#limits;
    this.#fail(
      upstreamFault(
        "RESPONSE_SIZE_EXCEEDED",
        `the tool server's answer is larger than ${maxResponseBytes} bytes`,
        true,
        { detail: { limit: maxResponseBytes } },
      ),
    );
  }

  /** Restarts the clock for what is waited for now, unless the caller is. */
  #within(ms: number, what: string): void {
    if (!this.#clock.standing || this.#released) this.#clock.wait(ms, what);
  }

  #fail(failure: CmcpError): void {
    if (this.#ended || this.#failure !== undefined) return;
    this.#failure = failure;
    this.#chunks.length = 0;
    this.#controller?.abort(failure);
    this.#finish();
  }

  #finish(): void {
    this.#clock.stop();
    this.#caller.signal.removeEventListener("abort", this.#onAbort);
    this.#close();
    this.#changed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** A promise is resolved once: V8 tells Node of every time more. */
  #changed(): void {
    const wake = this.#wake;
    this.#wake = NOBODY;
    wake();
  }
}
