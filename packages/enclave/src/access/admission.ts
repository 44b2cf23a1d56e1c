import { CmcpError } from "@cmcp/boundary";
import { RunningPlace } from "./running-place.ts";

/** Bounds on requests under way. */
export interface AdmissionLimits {
  /** Requests that run at the same time. */
  readonly maxRunning: number;
  /** Requests of one principal that run or wait. */
  readonly maxPerPrincipal: number;
  /**
   * Questions to agents that are open at the same time, all together and of one principal: each holds a connection to a
   * server. A principal has no more of them than stay free beside it, so that whoever comes next finds room.
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
export type Aside = <T>(answer: () => Promise<T>) => Promise<T>;

interface Principal {
  count: number;
  /** Open questions. One may outlive its request, until its agent knows that it is void. */
  questions: number;
  readonly waiting: Set<() => void>;
}

/**
 * Lets requests in, fairly: while more want to run than may, principals take turns, so that a principal with many
 * requests waits for itself and not others for it.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  /** In the order of their turns. */
  readonly #principals = new Map<string, Principal>();
  readonly #idle = new Set<() => void>();
  #running = 0;
  #questions = 0;

  constructor(limits: Partial<AdmissionLimits> = {}) {
    this.#limits = { ...DEFAULT_ADMISSION, ...limits };
  }

  /** Requests that run now. */
  get running(): number {
    return this.#running;
  }

  /** Questions that agents have to answer now. */
  get questions(): number {
    return this.#questions;
  }

  /** Requests that wait for their turn now. */
  get waiting(): number {
    return [...this.#principals.values()].reduce((sum, { waiting }) => sum + waiting.size, 0);
  }

  /** Resolves once nothing runs, or after `ms` milliseconds; requests whose agents are asked are not waited for. */
  async idle(ms: number): Promise<void> {
    if (this.#running === 0) return;
    const idle = Promise.withResolvers<void>();
    this.#idle.add(idle.resolve);
    const timer = setTimeout(idle.resolve, ms);
    await idle.promise;
    clearTimeout(timer);
    this.#idle.delete(idle.resolve);
  }

  /**
   * Runs `work` when it is the principal's turn. What it waits for `aside` takes no place of a running request, and has
   * bounds of its own.
   * @throws CmcpError `OVERLOADED`; `REQUEST_CANCELLED` when `signal` aborts before
   */
  async run<T>(principalId: string, signal: AbortSignal, work: (aside: Aside) => Promise<T>): Promise<T> {
    const principal = this.#principals.get(principalId) ?? { count: 0, questions: 0, waiting: new Set() };
    if (principal.count >= this.#limits.maxPerPrincipal)
      throw new CmcpError("OVERLOADED", `a principal may have ${this.#limits.maxPerPrincipal} requests under way`);
    this.#principals.set(principalId, principal);
    principal.count += 1;
    try {
      await this.#enter(principal, signal);
      const place = new RunningPlace(
        () => this.#enter(principal, signal),
        () => this.#leave(),
      );
      const aside: Aside = async (answer) => {
        this.#question(principal, 1);
        try {
          return await place.aside(answer);
        } finally {
          this.#question(principal, -1);
          this.#forget(principalId, principal);
        }
      };
      try {
        return await work(aside);
      } finally {
        place.end();
      }
    } finally {
      principal.count -= 1;
      this.#forget(principalId, principal);
    }
  }

  /** Forgets a principal that has nothing here: with anything open it would begin anew, beside what it has. */
  #forget(id: string, { count, questions, waiting }: Principal): void {
    if (count === 0 && questions === 0 && waiting.size === 0) this.#principals.delete(id);
  }

  async #enter(principal: Principal, signal: AbortSignal): Promise<void> {
    if (this.#running >= this.#limits.maxRunning) await this.#turn(principal, signal);
    else this.#running += 1;
  }

  #leave(): void {
    this.#running -= 1;
    this.#next();
    if (this.#running === 0) for (const resolve of this.#idle) resolve();
  }

  /** @throws CmcpError `OVERLOADED` for one question more than may be open */
  #question(principal: Principal, change: 1 | -1): void {
    const { maxQuestions, maxQuestionsPerPrincipal } = this.#limits;
    if (change === 1 && principal.questions >= Math.min(maxQuestionsPerPrincipal, maxQuestions - this.#questions))
      throw new CmcpError(
        "OVERLOADED",
        `a principal may have ${maxQuestionsPerPrincipal} questions to answer, and fewer while many are open`,
      );
    this.#questions += change;
    principal.questions += change;
  }

  /** Waits; whoever wakes this has counted it as running. */
  async #turn({ waiting }: Principal, signal: AbortSignal): Promise<void> {
    const turn = Promise.withResolvers<void>();
    const leave = (): void => {
      if (waiting.delete(turn.resolve)) turn.reject(new CmcpError("REQUEST_CANCELLED", "the caller went away"));
    };
    waiting.add(turn.resolve);
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    try {
      await turn.promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #next(): void {
    for (const [id, principal] of this.#principals) {
      const [first] = principal.waiting;
      if (first === undefined) continue;
      principal.waiting.delete(first);
      // Its next turn comes after everyone else's.
      this.#principals.delete(id);
      this.#principals.set(id, principal);
      this.#forget(id, principal);
      this.#running += 1;
      first();
      return;
    }
  }
}
