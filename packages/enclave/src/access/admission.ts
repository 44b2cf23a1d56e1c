import { performance } from "node:perf_hooks";
import { CmcpError, SharedSlots } from "@cmcp/boundary";
import { RunningSlot } from "./running-slot.ts";
import { PrincipalLoad, nextPrincipal } from "./principal-load.ts";

/** Limits on concurrent requests. */
export interface AdmissionLimits {
  /** Most requests that run at once. {@link SharedSlots} limits the share of one principal. */
  readonly maxRunning: number;
  /** Most requests of one principal that run or wait. */
  readonly maxPerPrincipal: number;
  /**
   * Most open questions to agents, in all and of one principal. Each holds a connection to a server. Principals share
   * them like the slots of running requests.
   */
  readonly maxQuestions: number;
  readonly maxQuestionsPerPrincipal: number;
}

/** The limits of a gateway. */
export const DEFAULT_ADMISSION: AdmissionLimits = {
  maxRunning: 256,
  maxPerPrincipal: 128,
  maxQuestions: 128,
  maxQuestionsPerPrincipal: 32,
};

/** Waits for an agent's answer. The request does not count as running meanwhile. */
export type WhileAsking = <T>(answer: () => Promise<T>) => Promise<T>;

/**
 * Admits requests fairly. {@link SharedSlots} limits the share of each principal, so that the next principal finds a free slot. When all
 * slots are taken, a slot that becomes free goes to a principal without any. Of several, the one that has used the
 * least slot time is first.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #now: () => number;
  readonly #running: SharedSlots;
  readonly #questions: SharedSlots;
  readonly #principals = new Map<string, PrincipalLoad>();
  readonly #idleWaiters = new Set<() => void>();

  /** @param now monotonic milliseconds */
  constructor(limits: Partial<AdmissionLimits> = {}, now: () => number = () => performance.now()) {
    this.#limits = { ...DEFAULT_ADMISSION, ...limits };
    this.#now = now;
    this.#running = new SharedSlots(this.#limits.maxRunning);
    this.#questions = new SharedSlots(this.#limits.maxQuestions, this.#limits.maxQuestionsPerPrincipal);
  }

  /** Number of running requests. */
  get running(): number {
    return this.#running.taken;
  }

  /** Number of open questions. */
  get questions(): number {
    return this.#questions.taken;
  }

  /** Number of waiting requests. */
  get waiting(): number {
    return [...this.#principals.values()].reduce((sum, { waiting }) => sum + waiting.size, 0);
  }

  /** Resolves when no request runs, or after `ms` milliseconds. Requests that wait for an agent's answer do not count. */
  async waitUntilIdle(ms: number): Promise<void> {
    if (this.running === 0) return;
    const idle = Promise.withResolvers<void>();
    this.#idleWaiters.add(idle.resolve);
    const timer = setTimeout(idle.resolve, ms);
    await idle.promise;
    clearTimeout(timer);
    this.#idleWaiters.delete(idle.resolve);
  }

  /**
   * Runs `work` when it is the principal's turn. While it waits in `whileAsking` it takes no slot of a running request,
   * but one of a question.
   * @throws CmcpError `OVERLOADED`; `REQUEST_CANCELLED` if `signal` aborts before its turn
   */
  async run<T>(principal: string, signal: AbortSignal, work: (whileAsking: WhileAsking) => Promise<T>): Promise<T> {
    const load = this.#principals.get(principal) ?? new PrincipalLoad(this.#now());
    if (load.requests >= this.#limits.maxPerPrincipal)
      throw new CmcpError(
        "OVERLOADED",
        `a principal may have at most ${this.#limits.maxPerPrincipal} concurrent requests`,
      );
    this.#principals.set(principal, load);
    load.requests += 1;
    try {
      const release = await this.#acquireSlot(principal, load, signal);
      const slot = new RunningSlot(release, () => this.#acquireSlot(principal, load, signal));
      try {
        return await work((answer) => this.#ask(principal, load, () => slot.releaseWhile(answer)));
      } finally {
        slot.end();
      }
    } finally {
      load.requests -= 1;
      this.#forget(principal, load);
    }
  }

  #forget(principal: string, load: PrincipalLoad): void {
    if (load.idle) this.#principals.delete(principal);
  }

  /** Takes a slot, or waits for one. @returns a function that gives it back */
  async #acquireSlot(principal: string, load: PrincipalLoad, signal: AbortSignal): Promise<() => void> {
    // Whoever waits cannot use this slot, or would have it.
    if (this.#running.isOpenTo(principal)) return this.#start(principal, load);
    return await load.wait(signal, this.#now());
  }

  #start(principal: string, load: PrincipalLoad): () => void {
    const releaseSlot = this.#running.take(principal, "slots of running requests");
    load.run(1, this.#now());
    return () => {
      releaseSlot();
      load.run(-1, this.#now());
      this.#next();
      if (this.running === 0) for (const resolve of this.#idleWaiters) resolve();
    };
  }

  /** Starts every waiting request that may run. */
  #next(): void {
    for (;;) {
      const open = [...this.#principals].filter(
        ([principal, { waiting }]) => waiting.size > 0 && this.#running.isOpenTo(principal),
      );
      const next = nextPrincipal(open, this.#now());
      if (next === undefined) return;
      const [principal, load] = next;
      // Moves the principal behind others with the same balance.
      this.#principals.delete(principal);
      this.#principals.set(principal, load);
      load.grant(this.#start(principal, load));
    }
  }

  /** Takes the slot of a question. @throws CmcpError `OVERLOADED` if there is none */
  async #ask<T>(principal: string, load: PrincipalLoad, answer: () => Promise<T>): Promise<T> {
    const releaseSlot = this.#questions.take(principal, "questions to agents");
    load.questions += 1;
    try {
      return await answer();
    } finally {
      releaseSlot();
      load.questions -= 1;
      this.#forget(principal, load);
    }
  }
}
