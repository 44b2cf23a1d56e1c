import { Duplex } from "node:stream";
import { examine, type CmcpError } from "@cmcp/boundary";
import type { ExchangePool, OutgoingExchange } from "@cmcp/wire";
import { hostError } from "../instance/host-error.ts";

/** The codes that the relay may refuse with, and the message for each. */
const HOST_ERRORS = {
  UPSTREAM_UNAVAILABLE: "the relay could not reach the tool server",
  UPSTREAM_TIMEOUT: "the relay could not reach the tool server in time",
  EGRESS_NOT_ALLOWED: "the tool server is not in the egress list of the host",
  OVERLOADED: "the relay has no room for another stream",
  REQUEST_CANCELLED: "the stream to the tool server was cancelled",
};

function relayError(thrown: unknown): CmcpError {
  return hostError(thrown, HOST_ERRORS, "UPSTREAM_UNAVAILABLE");
}

/** A byte stream to a tool server through the host's egress relay. It is TLS ciphertext if the catalog pins a key. */
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
      (thrown: unknown) => this.destroy(relayError(thrown)),
    );
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#complete(this.#exchange.write(chunk), done);
  }

  /** Sends chunks that were written together, such as a request's head and body, as one. */
  override _writev(written: { readonly chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    this.#complete(this.#exchange.write(Buffer.concat(written.map(({ chunk }) => chunk))), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#complete(this.#exchange.end(), done);
  }

  #complete(work: Promise<unknown>, done: (error?: Error | null) => void): void {
    work.then(
      () => done(),
      (thrown: unknown) => done(relayError(thrown)),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#exchange.abort();
    done(error);
  }
}

/**
 * Opens a byte stream to a host and port of the catalog. `signal` can cancel the opening only. The exchange gets a
 * signal of its own, because the signal it is opened with stays bound to it.
 * @throws CmcpError a code of {@link HOST_ERRORS}
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
    throw relayError(thrown);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
