import { CmcpError, asCmcpError } from "@cmcp/boundary";
import type { IncomingExchange } from "./exchange.ts";
import { isOpening, type Frame } from "./frame.ts";
import { ResponderExchange, errorText } from "./responder-exchange.ts";
import { IDLE_MS, MAX_EXCHANGE_NUMBER } from "./limits.ts";
import { FrameLink } from "./link.ts";
import type { ByteStream } from "./transport/transport.ts";

/** Settings of {@link serveStream}. */
export interface ServeOptions {
  /** How long an exchange, or the wait for the next one, may stand still, in ms. */
  readonly idleMs?: number;
  /** Told what `accept` threw, unless its exchange had been cut short, and what the peer did wrong. */
  readonly onFault?: (error: CmcpError) => void;
}

/**
 * Answers the exchanges of one stream, one after the other. `accept` resolves when it has ended its exchange or
 * failed it; what it throws before that becomes an error frame. A peer that breaks the protocol gets an error
 * frame and a closed stream.
 */
export function serveStream(
  stream: ByteStream,
  accept: (exchange: IncomingExchange) => Promise<void>,
  options: ServeOptions = {},
): void {
  const responder = new ResponderStream(stream, accept, options);
  responder.start();
}

class ResponderStream {
  readonly #link: FrameLink;
  readonly #accept: (exchange: IncomingExchange) => Promise<void>;
  readonly #options: ServeOptions;
  #last = 0;
  #current: ResponderExchange | undefined;

  constructor(stream: ByteStream, accept: (exchange: IncomingExchange) => Promise<void>, options: ServeOptions) {
    this.#accept = accept;
    this.#options = options;
    this.#link = new FrameLink(stream, {
      frame: (frame) => {
        this.#frame(frame);
      },
      violated: (error) => {
        this.#reject(error);
      },
      closed: (error) => {
        const exchange = this.#current;
        this.#current = undefined;
        exchange?.closed(error);
      },
    });
  }

  start(): void {
    this.#link.watchIdle(this.#options.idleMs ?? IDLE_MS);
  }

  #frame(frame: Frame): void {
    if (this.#current !== undefined) {
      this.#current.frame(frame);
      return;
    }
    if (!isOpening(frame)) throw new CmcpError("WIRE_UNEXPECTED_FRAME", `${frame.t} without an exchange`);
    if (frame.x !== this.#last + 1) throw new CmcpError("WIRE_UNEXPECTED_FRAME", "an exchange number out of order");
    this.#last = frame.x;
    const exchange: ResponderExchange = new ResponderExchange(this.#link, frame, () => {
      this.#current = undefined;
    });
    this.#current = exchange;
    void this.#run(exchange);
  }

  async #run(exchange: ResponderExchange): Promise<void> {
    try {
      await this.#accept(exchange);
      if (!exchange.answered) throw new CmcpError("INTERNAL", "a handler ended without an answer");
    } catch (thrown) {
      this.#faulted(exchange, asCmcpError(thrown, "INTERNAL", "a handler failed"));
    }
    exchange.body.discard();
  }

  #faulted(exchange: ResponderExchange, error: CmcpError): void {
    // What a handler throws once its exchange was cut short follows from that.
    if (exchange.cancelled) return;
    this.#options.onFault?.(error);
    if (!exchange.answered) exchange.sendError(error.code, error.message);
  }

  #reject(error: CmcpError): void {
    const exchange = this.#current;
    if (exchange !== undefined && !exchange.answered) exchange.sendError(error.code, error.message);
    else if (exchange === undefined && error.code !== "WIRE_IDLE_TIMEOUT") {
      this.#link.send({
        t: "error",
        x: Math.min(this.#last + 1, MAX_EXCHANGE_NUMBER),
        code: error.code,
        message: errorText(error.message),
      });
    }
    if (exchange !== undefined || error.code !== "WIRE_IDLE_TIMEOUT") this.#options.onFault?.(error);
    this.#current = undefined;
    exchange?.closed(error);
    this.#link.finish();
  }
}
