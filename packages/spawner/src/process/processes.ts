import { CmcpError, SharedSlots, asCmcpError } from "@cmcp/boundary";
import type { StdioChannel } from "../channel/channel.ts";
import { BackOff } from "./back-off.ts";
import { DEFAULT_PROCESS_LIMITS, type ProcessLimits } from "./limits.ts";

/** What a process is used for. A listener waits for what the server says, and keeps no process that is to end. */
export type ProcessUse = "request" | "listener";

/** On whose behalf a process runs. No process ever serves two of them. */
export interface TrustIdentity {
  readonly principal: string;
  /** The server's place in the spawner's table. */
  readonly server: number;
}

interface Running {
  readonly principal: string;
  readonly server: number;
  readonly opening: Promise<StdioChannel>;
  uses: number;
  /** Of the uses, those that wait for an answer. */
  requests: number;
  /** Gives the slot back that it takes while it is in use. */
  giveBack: () => void;
  /** Monotonic milliseconds of the last time a use ended. */
  usedAt: number;
  idle: NodeJS.Timeout | undefined;
  /** We end it: its end is no crash. */
  ending: boolean;
  /** A use of it has succeeded. */
  served: boolean;
}

function unavailable(message: string, detail: Readonly<Record<string, number>> = {}): CmcpError {
  return new CmcpError("UPSTREAM_UNAVAILABLE", message, { detail: { ...detail, sent: 0 } });
}

function inUse(): CmcpError {
  return new CmcpError("OVERLOADED", "as many stdio servers as may run for this caller are in use", {
    detail: { sent: 0 },
  });
}

/**
 * The running stdio servers: one process for each trust identity, started when it is first used, ended when it was not
 * used for a while. After a crash the next use starts another, but not before the back-off allows it.
 */
export class StdioProcesses {
  readonly #start: (server: number) => Promise<StdioChannel>;
  readonly #limits: ProcessLimits;
  readonly #running = new Map<string, Running>();
  /** Processes that nobody gets any more, and that answer what they were asked. */
  readonly #outdated = new Set<Running>();
  readonly #backOff: BackOff;
  readonly #inUse: SharedSlots;
  readonly #exited: (server: number) => void;
  #closed = false;

  /**
   * @param exited hears of a server's process that had served and then ended by itself: what it held is lost
   */
  constructor(
    start: (server: number) => Promise<StdioChannel>,
    limits: Partial<ProcessLimits> = {},
    exited: (server: number) => void = () => undefined,
  ) {
    this.#start = start;
    this.#exited = exited;
    this.#limits = { ...DEFAULT_PROCESS_LIMITS, ...limits };
    this.#backOff = new BackOff(this.#limits);
    this.#inUse = new SharedSlots(this.#limits.maxProcesses, this.#limits.maxPerPrincipal);
  }

  /** Processes that run or are being started. */
  get size(): number {
    return this.#running.size + this.#outdated.size;
  }

  /**
   * Runs `work` with the identity's process, which stays at least that long unless it ends by itself. A channel
   * object that `work` has not seen before is a new process that knows nothing of the one before.
   * @throws CmcpError `UPSTREAM_UNAVAILABLE` with `detail.retry_after_ms` after a crash, `OVERLOADED` when all
   * processes are in use, what starting throws, what `work` throws
   */
  async use<T>(
    identity: TrustIdentity,
    work: (channel: StdioChannel) => Promise<T>,
    use: ProcessUse = "request",
  ): Promise<T> {
    const isRequest = use === "request" ? 1 : 0;
    const key = `${identity.server}:${identity.principal}`;
    const running = this.#running.get(key) ?? this.#open(key, identity);
    if (running.uses === 0) running.giveBack = this.#inUse.take(running.principal, "stdio servers");
    running.uses += 1;
    running.requests += isRequest;
    clearTimeout(running.idle);
    try {
      const done = await work(await running.opening);
      running.served = true;
      return done;
    } finally {
      running.uses -= 1;
      running.requests -= isRequest;
      running.usedAt = performance.now();
      if (running.uses === 0) running.giveBack();
      if (running.uses === 0 && this.#running.get(key) === running) this.#expectIdle(key, running);
      this.#endOutdated(key, running);
    }
  }

  /**
   * Lets no further use have a process of this server that runs now: it was started with what no longer holds. One that
   * answers requests ends after them.
   */
  replace(server: number): void {
    for (const [key, running] of this.#running) {
      if (running.server !== server) continue;
      this.#running.delete(key);
      clearTimeout(running.idle);
      this.#outdated.add(running);
      this.#endOutdated(key, running);
    }
  }

  /** Ends every process and waits until they are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    const outdated = [...this.#outdated].map((running): [string, Running] => ["", running]);
    await Promise.all([...this.#running, ...outdated].map(([key, running]) => this.#end(key, running)));
  }

  #endOutdated(key: string, running: Running): void {
    if (running.requests === 0 && this.#outdated.has(running) && !running.ending) void this.#end(key, running);
  }

  #open(key: string, { principal, server }: TrustIdentity): Running {
    if (this.#closed) throw unavailable("the stdio servers are shut down");
    const wait = this.#backOff.remaining(key, performance.now());
    if (wait > 0)
      throw unavailable("the stdio server crashed and is not started again yet", { retry_after_ms: Math.ceil(wait) });
    this.#makeRoom(principal);
    const running: Running = {
      principal,
      server,
      opening: this.#start(server),
      uses: 0,
      requests: 0,
      giveBack: () => undefined,
      usedAt: performance.now(),
      idle: undefined,
      ending: false,
      served: false,
    };
    this.#running.set(key, running);
    void this.#watch(key, running);
    return running;
  }

  async #watch(key: string, running: Running): Promise<void> {
    let since = performance.now();
    try {
      const channel = await running.opening;
      since = performance.now();
      await channel.closed;
    } catch {
      // It did not start. Whoever asked for it is told by the same promise.
    }
    clearTimeout(running.idle);
    const isOutdated = this.#outdated.delete(running);
    if (this.#running.get(key) === running) this.#running.delete(key);
    const now = performance.now();
    // What became of one that was to end says nothing of the next.
    if (running.ending || isOutdated) return;
    this.#backOff.crashed(key, now - since, now);
    if (running.served) this.#exited(running.server);
  }

  /**
   * Ends an idle process where there are as many as may be: the principal's own that was idle longest, or that of the
   * principal that has most.
   */
  #makeRoom(principal: string): void {
    if (!this.#inUse.isOpenTo(principal)) throw inUse();
    const counts = new Map<string, number>();
    for (const { principal: holder } of this.#running.values()) counts.set(holder, (counts.get(holder) ?? 0) + 1);
    const ownFull = (counts.get(principal) ?? 0) >= this.#limits.maxPerPrincipal;
    if (!ownFull && this.size < this.#limits.maxProcesses) return;
    const [first] = [...this.#running]
      .filter(([, { uses, principal: holder }]) => uses === 0 && (!ownFull || holder === principal))
      .toSorted(
        ([, a], [, b]) => (counts.get(b.principal) ?? 0) - (counts.get(a.principal) ?? 0) || a.usedAt - b.usedAt,
      );
    if (first === undefined) throw inUse();
    void this.#end(...first);
  }

  #expectIdle(key: string, running: Running): void {
    running.idle = setTimeout(() => void this.#end(key, running), this.#limits.idleMs);
    running.idle.unref();
  }

  async #end(key: string, running: Running): Promise<void> {
    running.ending = true;
    clearTimeout(running.idle);
    if (this.#running.get(key) === running) this.#running.delete(key);
    const channel = await running.opening.catch((thrown: unknown) => asCmcpError(thrown, "INTERNAL", "not started"));
    if (!(channel instanceof CmcpError)) await channel.close();
  }
}
