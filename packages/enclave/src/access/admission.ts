import { performance } from "node:perf_hooks";
import { CmcpError, SharedSlots } from "@cmcp/boundary";
import { RunningSlot } from "./running-slot.ts";
import { PrincipalLoad, nextPrincipal } from "./principal-load.ts";

/** Bounds on requests under way. */
export interface AdmissionLimits {
  /** Requests that run at the same time; of one principal as many as {@link SharedSlots} leaves to it. */
  readonly maxRunning: number;
  /** Requests of one principal that run or wait. */
  readonly maxPerPrincipal: number;
  /**
   * Questions to agents that are open at the same time, all together and of one principal at most: each holds a connection to a
   * server. They are shared as the slots of running requests are.
   */
  readonly maxQuestions: number;
  readonly maxQuestionsPerPrincipal: number;
}

/** 256 requests run; a principal has 128 of its own, running or waiting. 128 questions are open, 32 of one principal at most. */
export const DEFAULT_ADMISSION: AdmissionLimits = {
  maxRunning: 256,
  maxPerPrincipal: 128,
  maxQuestions: 128,
  maxQuestionsPerPrincipal: 32,
};

/** Waits for an agent's answer in the name of a request, which does not count as running meanwhile. */
export type WhileAsking = <T>(answer: () => Promise<T>) => Promise<T>;

/**
 * Lets requests in, fairly. A principal has no more of the slots than {@link SharedSlots} leaves to it, so that whoever comes next
 * finds one. While all are taken, the one that becomes free is open only to a principal that has none; of several, the one whose
 * requests have held slots for the least time goes first.
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

  /** Requests that run at this moment. */
  get running(): number {
    return this.#running.taken;
  }

  /** Questions that agents have to answer at this moment. */
  get questions(): number {
    return this.#questions.taken;
  }

  /** Requests that wait for their turn at this moment. */
  get waiting(): number {
    return [...this.#principals.values()].reduce((sum, { waiting }) => sum + waiting.size, 0);
  }

  /** Resolves once nothing runs, or after `ms` milliseconds; requests whose agents are asked are not waited for. */
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
   * Runs `work` when it is the principal's turn. What it waits for `aside` takes no slot of a running request, and has
   * bounds of its own.
   * @throws CmcpError `OVERLOADED`; `REQUEST_CANCELLED` when `signal` aborts before
   */
  async run<T>(principal: string, signal: AbortSignal, work: (whileAsking: WhileAsking) => Promise<T>): Promise<T> {
    const load = this.#principals.get(principal) ?? new PrincipalLoad(this.#now());
    if (load.requests >= this.#limits.maxPerPrincipal)
      throw new CmcpError("OVERLOADED", `a principal may have ${this.#limits.maxPerPrincipal} requests under way`);
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

  /** @returns gives the slot back */
  async #acquireSlot(principal: string, load: PrincipalLoad, signal: AbortSignal): Promise<() => void> {
    // Nobody waits for a slot that is open to them, so this takes none from anybody.
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

  /** Starts whatever may run of what waits. */
  #next(): void {
    for (;;) {
      const open = [...this.#principals].filter(
        ([principal, { waiting }]) => waiting.size > 0 && this.#running.isOpenTo(principal),
      );
      const next = nextPrincipal(open, this.#now());
      if (next === undefined) return;
      const [principal, load] = next;
      // Of equals it comes last next time.
      this.#principals.delete(principal);
      this.#principals.set(principal, load);
      load.grant(this.#start(principal, load));
    }
  }

  /** @throws CmcpError `OVERLOADED` for one question more than may be open */
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
