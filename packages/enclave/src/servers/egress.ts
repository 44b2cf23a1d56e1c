import { Duplex } from "node:stream";
import { asCmcpError, examine } from "@cmcp/boundary";
import type { ExchangePool, OutgoingExchange } from "@cmcp/wire";

/** A tool server's byte stream, carried by the host's egress relay. What passes is TLS ciphertext wherever the catalog pins a key. */
class EgressStream extends Duplex {
  readonly #exchange: OutgoingExchange;
  readonly #incoming: AsyncIterator<Parameters<typeof examine<Uint8Array>>[0]>;

  constructor(exchange: OutgoingExchange) {
    super({ allowHalfOpen: true });
    this.#exchange = exchange;
    this.#incoming = exchange.body[Symbol.asyncIterator]();
  }

  override _read(): void {
    this.#incoming.next().then(
      (step) => {
        this.push(step.done === true ? null : examine(step.value));
      },
      (thrown: unknown) =>
        this.destroy(asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "the relay to the tool server broke")),
    );
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#exchange.write(chunk).then(() => done(), done);
  }

  /** What was written together, as a request's head and body are, goes together. */
  override _writev(written: { readonly chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    this.#exchange.write(Buffer.concat(written.map(({ chunk }) => chunk))).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#exchange.end().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#exchange.abort();
    done(error);
  }
}

/**
 * Opens a byte stream to a host and port of the catalog. `signal` bounds the opening only: an exchange is
 * cancelled by the signal it was opened with for as long as it lives, so it gets one of its own.
 * @throws CmcpError `UPSTREAM_UNAVAILABLE` and what the relay refuses with
 */
export async function dialEgress(pool: ExchangePool, host: string, port: number, signal: AbortSignal): Promise<Duplex> {
  const opening = new AbortController();
  const stop = (): void => opening.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    signal.throwIfAborted();
    const exchange = await pool.open({ t: "egress", host, port }, opening.signal);
    await exchange.head;
    return new EgressStream(exchange);
  } catch (thrown) {
    opening.abort();
    throw asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "the relay could not reach the tool server");
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
