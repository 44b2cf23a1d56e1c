import { CmcpError } from "@cmcp/boundary";
import type { OutgoingExchange } from "./exchange.ts";
import type { Opening } from "./frame.ts";
import { MAX_EXCHANGE_NUMBER, POOLED_IDLE_MS } from "./limits.ts";
import { FrameLink } from "./link.ts";
import { OpenerExchange } from "./opener-exchange.ts";
import type { ByteStream } from "./transport/transport.ts";

/** What an {@link OpenerStream} tells the pool that owns it. */
export interface OpenerEvents {
  /** Both sides have sent `end`; another exchange may be opened. */
  free(): void;
  /** The stream is gone. */
  closed(): void;
}

/** A stream on which this side opens exchanges, one after the other. */
export class OpenerStream {
  readonly #link: FrameLink;
  readonly #events: OpenerEvents;
  readonly #idleMs: number;
  #last = 0;
  #current: OpenerExchange | undefined;

  constructor(stream: ByteStream, idleMs: number, events: OpenerEvents) {
    this.#idleMs = idleMs;
    this.#events = events;
    this.#link = new FrameLink(stream, {
      frame: (frame) => {
        if (this.#current === undefined) throw new CmcpError("WIRE_UNEXPECTED_FRAME", `${frame.t} without an exchange`);
        this.#current.frame(frame);
      },
      // The responder has an error frame to say why; an opener can only close.
      violated: (error) => {
        this.close(error);
      },
      closed: (error) => {
        const current = this.#current;
        this.#current = undefined;
        current?.closed(error);
        this.#events.closed();
      },
    });
    this.#watchPooled();
  }

  /** Opens the next exchange. @throws CmcpError `WIRE_*`; nothing was sent then. */
  open(opening: Opening, signal?: AbortSignal): OutgoingExchange {
    const exchange = new OpenerExchange(this.#link, this.#last + 1, opening, {
      completed: () => {
        this.#completed();
      },
      ...(signal === undefined ? {} : { signal }),
    });
    this.#last += 1;
    this.#current = exchange;
    this.#link.watchIdle(this.#idleMs);
    return exchange;
  }

  /** True once the stream is gone. */
  get closed(): boolean {
    return this.#link.closed !== undefined;
  }

  close(error: CmcpError): void {
    this.#link.close(error);
  }

  /**
   * Well before the responder's own limit, so that a stream is not taken from the pool while the other side closes it.
   */
  #watchPooled(): void {
    this.#link.watchIdle(Math.min(POOLED_IDLE_MS, this.#idleMs / 2));
  }

  #completed(): void {
    this.#current = undefined;
    if (this.#last >= MAX_EXCHANGE_NUMBER) {
      this.#link.close(new CmcpError("WIRE_CLOSED", "the stream has used up its exchange numbers"));
      return;
    }
    this.#watchPooled();
    this.#events.free();
  }
}
