import type { Socket } from "node:net";
import { CmcpError } from "@cmcp/boundary";
import type { Dial, EgressDecision, EgressTarget, PeerEgress } from "@cmcp/mcp";
import type { EgressDial } from "@cmcp/spawner";
import { readConnect } from "./connect-request.ts";
import { readHead } from "./read-head.ts";
import { Tunnel } from "./tunnel.ts";

/** Connections that wait for the server's next, of four that the forwarder would keep. */
const MAX_WAITING = 2;
/** Tunnels of one process at one time, those being decided included. */
const MAX_TUNNELS = 16;
/** Milliseconds until a refused connection to the spawner is tried again. */
const RETRY_MS = 1_000;
/** Milliseconds to connect to a host. */
const CONNECT_MS = 15_000;

/** What the way out of one process needs. */
export interface ProcessEgressPorts {
  /** Opens connections that wait for the server's. */
  readonly open: EgressDial;
  /** Connects to a host, through the host's relay. */
  readonly dial: Dial;
  /** Resolves when the process is over. */
  readonly closed: Promise<unknown>;
}

/**
 * The way out of one process of a stdio server. A connection is made only where every call that runs in the process
 * allows it, and each has its entry. A new call decides the open ones again. When no call runs, none stays open.
 */
export class ProcessEgress {
  readonly #ports: ProcessEgressPorts;
  readonly #calls = new Set<PeerEgress>();
  readonly #tunnels = new Set<Tunnel>();
  readonly #waiting = new Set<Socket>();
  /** Connections refused since the last call. */
  #refused = 0;
  #isOver = false;

  constructor(ports: ProcessEgressPorts) {
    this.#ports = ports;
    void ports.closed.then(() => this.#end());
    for (let i = 0; i < MAX_WAITING; i += 1) void this.#wait();
  }

  /** Runs one call's request. What the server connects to meanwhile is the call's to decide, too. */
  async during<T>(call: PeerEgress | undefined, request: () => Promise<T>): Promise<T> {
    if (call === undefined) return await request();
    this.#calls.add(call);
    call.countRefusedBefore(this.#refused);
    this.#refused = 0;
    try {
      await Promise.all([...this.#tunnels].map((tunnel) => this.#decideAgain(tunnel, call)));
      return await request();
    } finally {
      this.#calls.delete(call);
      if (this.#calls.size === 0) for (const tunnel of this.#tunnels) tunnel.close();
    }
  }

  /** A new call decides a tunnel that others opened. It is closed where this one refuses it, or has no entry of it. */
  async #decideAgain(tunnel: Tunnel, call: PeerEgress): Promise<void> {
    const decision = call.decide(tunnel.target);
    if (!decision.isAllowed) tunnel.close();
    await decision.record(decision.isAllowed).catch(() => tunnel.close());
  }

  /** Keeps one connection waiting; the next waits as soon as the server uses it. */
  async #wait(): Promise<void> {
    while (!this.#isOver) {
      try {
        const socket = await this.#ports.open();
        socket.on("error", () => socket.destroy());
        if (this.#isOver) return void socket.destroy();
        this.#waiting.add(socket);
        const isUsed = await readable(socket);
        this.#waiting.delete(socket);
        if (isUsed) void this.#serve(socket);
      } catch {
        await pause(RETRY_MS);
      }
    }
  }

  /** Answers one connection of the server's. */
  async #serve(socket: Socket): Promise<void> {
    try {
      const head = await readHead(socket, readConnect);
      if (head.kind === "refused") return refuse(socket, head.status);
      await this.#connect(socket, head.target, head.rest);
    } catch {
      socket.destroy();
    }
  }

  async #connect(socket: Socket, target: EgressTarget, rest: Uint8Array): Promise<void> {
    if (this.#tunnels.size >= MAX_TUNNELS) return refuse(socket, 503);
    const tunnel = new Tunnel(target, (sent, received) => {
      for (const call of this.#calls) call.count(sent, received);
    });
    // From here on calls that begin decide it too.
    this.#tunnels.add(tunnel);
    try {
      if (this.#calls.size === 0) this.#refused += 1;
      const decisions = Array.from(this.#calls, (call) => call.decide(target));
      if (!(await isPermitted(decisions)) || tunnel.signal.aborted) return refuse(socket, 403);
      const upstream = await this.#ports
        .dial(target.host, target.port, AbortSignal.any([tunnel.signal, AbortSignal.timeout(CONNECT_MS)]))
        .catch((thrown: unknown) => {
          if (thrown instanceof CmcpError) return null;
          throw thrown;
        });
      if (upstream === null) return refuse(socket, 502);
      await tunnel.relay(socket, upstream, rest);
    } finally {
      this.#tunnels.delete(tunnel);
    }
  }

  #end(): void {
    this.#isOver = true;
    for (const tunnel of this.#tunnels) tunnel.close();
    for (const socket of this.#waiting) socket.destroy();
  }
}

/** Whether every call allows a connection, and the record has each decision. There must be one. */
async function isPermitted(decisions: readonly EgressDecision[]): Promise<boolean> {
  const isConnected = decisions.length > 0 && decisions.every(({ isAllowed }) => isAllowed);
  const stored = await Promise.allSettled(decisions.map(async (decision) => await decision.record(isConnected)));
  return isConnected && stored.every(({ status }) => status === "fulfilled");
}

const REASONS = {
  400: "Bad Request",
  403: "Forbidden",
  405: "Method Not Allowed",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

/** Milliseconds that a refused server has to read the answer. */
const ANSWER_MS = 1_000;

/** Answers without a body, and closes. */
function refuse(socket: Socket, status: keyof typeof REASONS): void {
  socket.end(`HTTP/1.1 ${status} ${REASONS[status]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  socket.resume();
  setTimeout(() => socket.destroy(), ANSWER_MS).unref();
}

/** Whether the server used the connection; false once it has ended. */
async function readable(socket: Socket): Promise<boolean> {
  return await new Promise((resolve) => {
    socket.once("readable", () => resolve(!socket.destroyed));
    socket.once("close", () => resolve(false));
  });
}

async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => void setTimeout(resolve, ms).unref());
}
