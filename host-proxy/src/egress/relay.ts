import type { Socket } from "node:net";
import { CmcpError, asCmcpError, examine } from "@cmcp/boundary";
import type { IncomingExchange } from "@cmcp/wire";
import { waitForDrain } from "../wait-for-drain.ts";
import type { Log } from "../log.ts";
import type { EgressAllowList } from "./allow-list.ts";
import { connectUpstream } from "./connect.ts";

export interface EgressLimits {
  /** Open connections, those being made included. */
  readonly connections: number;
  /** Milliseconds for name lookup and connect. */
  readonly connectMs: number;
  /** Milliseconds without a byte in either direction before a connection is given up; below the wire's own. */
  readonly idleMs: number;
}

export const EGRESS_LIMITS: EgressLimits = { connections: 1_280, connectMs: 10_000, idleMs: 240_000 };

/** What the relay has moved since it was made. Bytes are those of the relayed stream. */
export interface EgressCounters {
  readonly open: number;
  readonly connected: number;
  readonly refused: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

/**
 * Carries bytes between the enclave and addresses of the list. It reads nothing of them: TLS ends inside
 * the enclave. Only the enclave's socket leads here.
 */
export class EgressRelay {
  #allow: EgressAllowList;
  readonly #limits: EgressLimits;
  readonly #log: Log;
  readonly #counters = { open: 0, connected: 0, refused: 0, bytesUp: 0, bytesDown: 0 };

  constructor(allow: EgressAllowList, log: Log, limits: EgressLimits = EGRESS_LIMITS) {
    this.#allow = allow;
    this.#log = log;
    this.#limits = limits;
  }

  /** Replaces the addresses of the list. Connections that are open stay. */
  allow(addresses: EgressAllowList): void {
    this.#allow = addresses;
  }

  get counters(): EgressCounters {
    return { ...this.#counters };
  }

  /**
   * Serves one `egress` exchange to its end: head 200 once connected, then both directions, each ended on its own.
   * @throws EGRESS_NOT_ALLOWED, OVERLOADED, UPSTREAM_UNAVAILABLE, UPSTREAM_TIMEOUT; REQUEST_CANCELLED when the
   *   enclave went away
   */
  async serve(exchange: IncomingExchange, host: string, port: number): Promise<void> {
    this.#admit(host, port);
    this.#counters.open += 1;
    try {
      await this.#relay(exchange, host, port);
    } catch (thrown) {
      throw asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", `the connection to ${host}:${port} failed`);
    } finally {
      this.#counters.open -= 1;
    }
  }

  #admit(host: string, port: number): void {
    const allowed = this.#allow.has(host, port);
    if (allowed && this.#counters.open < this.#limits.connections) return;
    this.#counters.refused += 1;
    this.#log.warn("egress refused", { destination: `${host}:${port}` });
    throw allowed
      ? new CmcpError("OVERLOADED", `the relay has reached its limit of ${this.#limits.connections} connections`)
      : new CmcpError("EGRESS_NOT_ALLOWED", `${host}:${port} is not on the host's egress list`);
  }

  async #relay(exchange: IncomingExchange, host: string, port: number): Promise<void> {
    const socket = await connectUpstream(host, port, this.#limits.connectMs, exchange.signal);
    this.#counters.connected += 1;
    const abandoned = (): void => void socket.destroy();
    exchange.signal.addEventListener("abort", abandoned, { once: true });
    socket.setTimeout(this.#limits.idleMs, () =>
      socket.destroy(new CmcpError("UPSTREAM_TIMEOUT", `no data for ${this.#limits.idleMs} ms`)),
    );
    const broken = brokenConnection(socket);
    try {
      if (exchange.signal.aborted) throw new CmcpError("REQUEST_CANCELLED", "the enclave cancelled the connection");
      await exchange.respond({ status: 200, headers: {} });
      await Promise.race([broken, Promise.all([this.#up(exchange, socket), this.#down(exchange, socket)])]);
    } finally {
      exchange.signal.removeEventListener("abort", abandoned);
      socket.destroy();
    }
  }

  async #up(exchange: IncomingExchange, socket: Socket): Promise<void> {
    for await (const part of exchange.body) {
      const chunk = examine(part);
      this.#counters.bytesUp += chunk.length;
      if (!socket.write(chunk)) await waitForDrain(socket);
    }
    socket.end();
  }

  /** One chunk may be on its way to the enclave while the next is read, no more. */
  #down(exchange: IncomingExchange, socket: Socket): Promise<void> {
    return new Promise((resolve, reject) => {
      let sending = 0;
      const sent = (): void => {
        sending -= 1;
        if (sending === 0 && socket.isPaused()) socket.resume();
      };
      socket.on("data", (chunk: Buffer) => {
        this.#counters.bytesDown += chunk.length;
        sending += 1;
        if (sending > 1) socket.pause();
        exchange.write(chunk).then(sent, reject);
      });
      socket.once("end", () => void exchange.end().then(resolve, reject));
    });
  }
}

/** Rejects when the socket closes before both directions have ended, with what ended it. */
function brokenConnection(socket: Socket): Promise<never> {
  return new Promise((_, reject) => {
    let cause: Error | undefined;
    socket.on("error", (error) => {
      cause = error;
    });
    socket.once("close", () => {
      if (!socket.readableEnded || !socket.writableFinished) reject(cause ?? new Error("closed early"));
    });
  });
}
