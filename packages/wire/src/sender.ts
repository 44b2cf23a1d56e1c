import { CmcpError } from "@cmcp/boundary";
import type { BodyMeter } from "./exchange.ts";
import { MAX_DATA_BYTES } from "./limits.ts";
import type { FrameLink } from "./link.ts";

/** The result of a write that need not wait; shared, as each call makes a dozen of them. */
const TAKEN = Promise.resolve();

async function refused(thrown: unknown): Promise<never> {
  throw thrown;
}

/**
 * Sends one side's body in frames of the wire's size, in the order of the calls, no faster than the peer takes them.
 */
export class BodySender {
  readonly #link: FrameLink;
  readonly #exchange: number;
  readonly #meter: BodyMeter;
  #queue: Promise<void> | undefined;
  #stopped: { error: CmcpError | undefined } | undefined;

  constructor(link: FrameLink, exchange: number, meter: BodyMeter) {
    this.#link = link;
    this.#exchange = exchange;
    this.#meter = meter;
  }

  /** Makes every write from now on reject with `error`, or with one that says that this side has ended. */
  stop(error?: CmcpError): void {
    this.#stopped ??= { error };
  }

  /** Sends body bytes. An empty chunk sends nothing. */
  write(chunk: Uint8Array): Promise<void> {
    if (this.#queue === undefined && chunk.length <= MAX_DATA_BYTES && !this.#link.congested) {
      try {
        this.#send(chunk);
      } catch (thrown) {
        return refused(thrown);
      }
      return this.#taken();
    }
    return this.#later(async () => {
      for (let at = 0; at < chunk.length; at += MAX_DATA_BYTES) {
        await this.#link.drained();
        this.#send(chunk.subarray(at, at + MAX_DATA_BYTES));
      }
      await this.#link.drained();
    });
  }

  /** Runs `send` after every write before it. */
  after(send: () => void): Promise<void> {
    if (this.#queue === undefined) return this.#now(send);
    return this.#later(() => this.#now(send));
  }

  #send(data: Uint8Array): void {
    this.#check();
    if (data.length === 0) return;
    this.#meter.count(data.length);
    this.#link.send({ t: "body", x: this.#exchange, data });
  }

  #check(): void {
    if (this.#stopped === undefined) return;
    throw this.#stopped.error ?? new CmcpError("WIRE_UNEXPECTED_FRAME", "this side of the exchange has ended");
  }

  #now(send: () => void): Promise<void> {
    try {
      this.#check();
      send();
    } catch (thrown) {
      return refused(thrown);
    }
    return this.#taken();
  }

  #taken(): Promise<void> {
    return this.#link.congested ? this.#link.drained() : TAKEN;
  }

  async #later(send: () => Promise<void>): Promise<void> {
    const before = this.#queue;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#queue = promise;
    // Only ever resolved: what went wrong there is for that call's caller.
    await before;
    try {
      await send();
    } finally {
      if (this.#queue === promise) this.#queue = undefined;
      resolve();
    }
  }
}
