import { CmcpError, asCmcpError } from "@cmcp/boundary";
import type { StdioChannel } from "../channel/channel.ts";
import { BackOff } from "./back-off.ts";
import { DEFAULT_PROCESS_LIMITS, type ProcessLimits } from "./limits.ts";

/** On whose behalf a process runs. No process ever serves two of them. */
export interface TrustIdentity {
  readonly principal: string;
  /** The server's place in the spawner's table. */
  readonly server: number;
}

interface Running {
  readonly principal: string;
  readonly opening: Promise<StdioChannel>;
  uses: number;
  /** Monotonic milliseconds of the last time a use ended. */
  usedAt: number;
  idle: NodeJS.Timeout | undefined;
  /** We end it: its end is no crash. */
  ending: boolean;
}

function unavailable(message: string, detail: Readonly<Record<string, number>> = {}): CmcpError {
  return new CmcpError("UPSTREAM_UNAVAILABLE", message, { detail: { ...detail, sent: 0 } });
}

/**
 * The running stdio servers: one process for each trust identity, started when it is first used, ended when it was not
 * used for a while. After a crash the next use starts another, but not before the back-off allows it.
 */
export class StdioProcesses {
  readonly #start: (server: number) => Promise<StdioChannel>;
  readonly #limits: ProcessLimits;
  readonly #running = new Map<string, Running>();
  readonly #backOff: BackOff;
  #closed = false;

  constructor(start: (server: number) => Promise<StdioChannel>, limits: Partial<ProcessLimits> = {}) {
    this.#start = start;
    this.#limits = { ...DEFAULT_PROCESS_LIMITS, ...limits };
    this.#backOff = new BackOff(this.#limits);
  }

  /** Processes that run or are being started. */
  get size(): number {
    return this.#running.size;
  }

  /**
   * Runs `work` with the identity's process, which stays at least that long unless it ends by itself. A channel
   * object that `work` has not seen before is a new process that knows nothing of the one before.
   * @throws CmcpError `UPSTREAM_UNAVAILABLE` with `detail.retry_after_ms` after a crash, `OVERLOADED` when all
   * processes are in use, what starting throws, what `work` throws
   */
  async use<T>(identity: TrustIdentity, work: (channel: StdioChannel) => Promise<T>): Promise<T> {
    const key = `${identity.server}:${identity.principal}`;
    const running = this.#running.get(key) ?? this.#open(key, identity);
    running.uses += 1;
    clearTimeout(running.idle);
    try {
      return await work(await running.opening);
    } finally {
      running.uses -= 1;
      running.usedAt = performance.now();
      if (running.uses === 0 && this.#running.get(key) === running) this.#expectIdle(key, running);
    }
  }

  /** Ends every process and waits until they are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#running].map(([key, running]) => this.#end(key, running)));
  }

  #open(key: string, { principal, server }: TrustIdentity): Running {
    if (this.#closed) throw unavailable("the stdio servers are shut down");
    const wait = this.#backOff.remaining(key, performance.now());
    if (wait > 0)
      throw unavailable("the stdio server crashed and is not started again yet", { retry_after_ms: Math.ceil(wait) });
    this.#makeRoom(principal);
    const running: Running = {
      principal,
      opening: this.#start(server),
      uses: 0,
      usedAt: performance.now(),
      idle: undefined,
      ending: false,
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
    if (this.#running.get(key) === running) this.#running.delete(key);
    const now = performance.now();
    if (!running.ending) this.#backOff.crashed(key, now - since, now);
  }

  /**
   * Ends an idle process where there are as many as may be: the principal's own, or one of a principal that has more.
   * The last places are for those who have none: a further process of somebody's must leave as many as that one then has.
   */
  #makeRoom(principal: string): void {
    const all = [...this.#running];
    const own = all.filter(([, running]) => running.principal === principal);
    const { maxPerPrincipal, maxProcesses } = this.#limits;
    const busyOthers = all.filter(([, running]) => running.principal !== principal && running.uses > 0).length;
    const fairShare = Math.max(1, Math.floor((maxProcesses - busyOthers) / 2));
    if (own.length >= Math.min(maxPerPrincipal, fairShare)) return this.#endIdle(own);
    if (all.length < maxProcesses) return;
    const held = (owner: string): number => all.filter(([, running]) => running.principal === owner).length;
    const most = Math.max(...all.filter(([, { uses }]) => uses === 0).map(([, running]) => held(running.principal)));
    this.#endIdle(all.filter(([, running]) => held(running.principal) === most));
  }

  /** Ends the one that was idle longest. @throws CmcpError `OVERLOADED` where all are in use */
  #endIdle(candidates: readonly (readonly [string, Running])[]): void {
    const [longest] = candidates
      .filter(([, { uses }]) => uses === 0)
      .toSorted(([, left], [, right]) => left.usedAt - right.usedAt);
    if (longest === undefined)
      throw new CmcpError("OVERLOADED", "as many stdio servers as may run are in use", { detail: { sent: 0 } });
    void this.#end(...longest);
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
