import type { Socket } from "node:net";
import { finished, type Duplex } from "node:stream";
import type { EgressTarget } from "@cmcp/mcp";

/** What one tunnel may cost. */
export interface TunnelLimits {
  /** Milliseconds without a byte either way. */
  readonly idleMs: number;
  /** Bytes, both ways together. */
  readonly maxBytes: number;
}

const TUNNEL_LIMITS: TunnelLimits = { idleMs: 120_000, maxBytes: 1024 * 1024 * 1024 };

const ESTABLISHED = "HTTP/1.1 200 Connection Established\r\n\r\n";

/** A connection of a server to a host. Its bytes are TLS between those two, and nobody here looks at them. */
export class Tunnel {
  readonly target: EgressTarget;
  readonly #counted: (sent: number, received: number) => void;
  readonly #limits: TunnelLimits;
  readonly #closing = new AbortController();
  #bytes = 0;

  /** @param counted hears of bytes that go to the host, and come from it */
  constructor(
    target: EgressTarget,
    counted: (sent: number, received: number) => void,
    limits: TunnelLimits = TUNNEL_LIMITS,
  ) {
    this.target = target;
    this.#limits = limits;
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
    server.setTimeout(this.#limits.idleMs, end);
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
    if (this.#bytes > this.#limits.maxBytes) end();
  }
}

/** Resolves when a stream is over, however. */
async function over(stream: Duplex): Promise<void> {
  await new Promise<void>((resolve) => void finished(stream, () => resolve()));
}
