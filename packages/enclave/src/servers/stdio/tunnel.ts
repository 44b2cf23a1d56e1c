import type { Socket } from "node:net";
import { finished, type Duplex } from "node:stream";
import type { EgressTarget } from "@cmcp/mcp";

/** Milliseconds without a byte either way. */
const IDLE_MS = 120_000;
/** Bytes of one tunnel, both ways together. */
const MAX_BYTES = 1024 * 1024 * 1024;

const ESTABLISHED = "HTTP/1.1 200 Connection Established\r\n\r\n";

/** A connection of a server to a host. Its bytes are TLS between those two, and nobody here looks at them. */
export class Tunnel {
  readonly target: EgressTarget;
  readonly #counted: (sent: number, received: number) => void;
  readonly #closing = new AbortController();
  #bytes = 0;

  /** @param counted hears of bytes that go to the host, and come from it */
  constructor(target: EgressTarget, counted: (sent: number, received: number) => void) {
    this.target = target;
    this.#counted = counted;
  }

  /** Aborts when it is closed. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  close(): void {
    this.#closing.abort();
  }

  /** Carries bytes both ways until both have ended, it is closed, or a bound is met. */
  async relay(server: Socket, upstream: Duplex, rest: Uint8Array): Promise<void> {
    const { signal } = this.#closing;
    const end = (): void => {
      server.destroy();
      upstream.destroy();
    };
    if (signal.aborted) return end();
    signal.addEventListener("abort", end, { once: true });
    server.setTimeout(IDLE_MS, end);
    upstream.on("error", end);
    try {
      server.write(ESTABLISHED);
      this.#carry(rest, true, end);
      upstream.write(rest);
      server.on("data", (chunk: Uint8Array) => this.#carry(chunk, true, end));
      upstream.on("data", (chunk: Uint8Array) => this.#carry(chunk, false, end));
      server.pipe(upstream);
      upstream.pipe(server);
      await Promise.all([over(server), over(upstream)]);
    } finally {
      signal.removeEventListener("abort", end);
      end();
    }
  }

  #carry({ byteLength }: Uint8Array, isSent: boolean, end: () => void): void {
    this.#bytes += byteLength;
    this.#counted(isSent ? byteLength : 0, isSent ? 0 : byteLength);
    if (this.#bytes > MAX_BYTES) end();
  }
}

/** Resolves when a stream is over, however. */
async function over(stream: Duplex): Promise<void> {
  await new Promise<void>((resolve) => void finished(stream, () => resolve()));
}
