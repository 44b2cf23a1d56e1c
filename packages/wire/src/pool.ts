import { CmcpError } from "@cmcp/boundary";
import type { OutgoingExchange } from "./exchange.ts";
import type { Opening } from "./frame.ts";
import { DIAL_MS, IDLE_MS, MAX_POOL_WAITERS } from "./limits.ts";
import { OpenerStream } from "./opener.ts";
import type { Dialer } from "./transport/transport.ts";

interface Waiter {
  resolve(stream: OpenerStream | undefined): void;
  reject(error: CmcpError): void;
}

/** Bounds of a pool. */
export interface PoolOptions {
  /** Streams open at once; an exchange beyond that waits for one to be free. */
  readonly maxStreams: number;
  /** How long an exchange may stand still, and how long a caller waits for a stream, in ms. */
  readonly idleMs?: number;
}

/** Streams to one address, each carrying one exchange at a time and used again after both sides sent `end`. */
export class ExchangePool {
  readonly #dialer: Dialer;
  readonly #maxStreams: number;
  readonly #idleMs: number;
  readonly #streams = new Set<OpenerStream>();
  readonly #free: OpenerStream[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #closing = new AbortController();
  #dialing = 0;

  constructor(dialer: Dialer, options: PoolOptions) {
    this.#dialer = dialer;
    this.#maxStreams = options.maxStreams;
    this.#idleMs = options.idleMs ?? IDLE_MS;
  }

  /**
   * Opens an exchange on a free stream, a new one, or the next to become free. `signal` cancels the wait, and the
   * exchange for as long as it is not complete.
   *
   * @throws CmcpError `WIRE_UNREACHABLE`, `OVERLOADED`, `REQUEST_CANCELLED`, `WIRE_CLOSED` after {@link
   * ExchangePool.close}, or `WIRE_*` for an opening that the wire does not carry.
   */
  async open(opening: Opening, signal?: AbortSignal): Promise<OutgoingExchange> {
    for (;;) {
      if (this.#closing.signal.aborted) throw poolClosed();
      if (signal?.aborted === true) throw cancelled();
      const free = this.#free.pop();
      if (free !== undefined) return this.#start(free, opening, signal);
      if (this.#streams.size + this.#dialing < this.#maxStreams)
        return this.#start(await this.#dial(signal), opening, signal);
      const handed = await this.#wait(signal);
      if (handed !== undefined && !handed.closed) return this.#start(handed, opening, signal);
    }
  }

  /** Closes every stream; exchanges in progress fail with `WIRE_CLOSED`. */
  close(): Promise<void> {
    this.#closing.abort();
    for (const waiter of this.#waiters) waiter.reject(poolClosed());
    for (const stream of this.#streams) stream.close(poolClosed());
    return Promise.resolve();
  }

  #start(stream: OpenerStream, opening: Opening, signal: AbortSignal | undefined): OutgoingExchange {
    try {
      if (signal?.aborted === true) throw cancelled();
      return stream.open(opening, signal);
    } catch (thrown) {
      // The opening was refused before anything was sent; the stream is as good as before.
      this.#release(stream);
      throw thrown;
    }
  }

  async #dial(signal: AbortSignal | undefined): Promise<OpenerStream> {
    this.#dialing += 1;
    const bounds = [this.#closing.signal, AbortSignal.timeout(DIAL_MS)];
    if (signal !== undefined) bounds.push(signal);
    try {
      const bytes = await this.#dialer.dial(AbortSignal.any(bounds));
      if (this.#closing.signal.aborted) {
        bytes.destroy();
        throw poolClosed();
      }
      const stream: OpenerStream = new OpenerStream(bytes, this.#idleMs, {
        free: () => {
          this.#release(stream);
        },
        closed: () => {
          this.#forget(stream);
        },
      });
      this.#streams.add(stream);
      return stream;
    } catch (thrown) {
      this.#wake();
      if (this.#closing.signal.aborted) throw poolClosed();
      if (signal?.aborted === true) throw cancelled();
      throw new CmcpError("WIRE_UNREACHABLE", `cannot open a stream to ${this.#dialer.address}`, { cause: thrown });
    } finally {
      this.#dialing -= 1;
    }
  }

  #release(stream: OpenerStream): void {
    const [waiter] = this.#waiters;
    if (waiter === undefined) this.#free.push(stream);
    else waiter.resolve(stream);
  }

  #forget(stream: OpenerStream): void {
    this.#streams.delete(stream);
    const index = this.#free.indexOf(stream);
    if (index >= 0) this.#free.splice(index, 1);
    this.#wake();
  }

  /** There is room for one more stream: lets one waiter look again. */
  #wake(): void {
    const [waiter] = this.#waiters;
    waiter?.resolve(undefined);
  }

  async #wait(signal: AbortSignal | undefined): Promise<OpenerStream | undefined> {
    if (this.#waiters.size >= MAX_POOL_WAITERS)
      throw new CmcpError("OVERLOADED", "too many exchanges wait for a stream");
    const { promise, resolve, reject } = Promise.withResolvers<OpenerStream | undefined>();
    const waiter: Waiter = {
      resolve: (stream) => {
        this.#waiters.delete(waiter);
        resolve(stream);
      },
      reject: (error) => {
        this.#waiters.delete(waiter);
        reject(error);
      },
    };
    this.#waiters.add(waiter);
    const onAbort = (): void => {
      waiter.reject(cancelled());
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = setTimeout(() => {
      waiter.reject(new CmcpError("OVERLOADED", `no stream became free within ${this.#idleMs} ms`));
    }, this.#idleMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }
}

function poolClosed(): CmcpError {
  return new CmcpError("WIRE_CLOSED", "the pool is closed");
}

function cancelled(): CmcpError {
  return new CmcpError("REQUEST_CANCELLED", "cancelled before a stream was free");
}
