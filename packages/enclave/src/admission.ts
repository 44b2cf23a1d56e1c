import { CmcpError } from "@cmcp/boundary";

/** Bounds on requests under way. */
export interface AdmissionLimits {
  /** Requests that run at the same time. */
  readonly maxRunning: number;
  /** Requests of one principal that run or wait. */
  readonly maxPerPrincipal: number;
}

/** 256 requests run; a principal has 128 of its own, running or waiting. */
export const DEFAULT_ADMISSION: AdmissionLimits = { maxRunning: 256, maxPerPrincipal: 128 };

interface Principal {
  count: number;
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
  #running = 0;

  constructor(limits: AdmissionLimits = DEFAULT_ADMISSION) {
    this.#limits = limits;
  }

  /** Requests that run now. */
  get running(): number {
    return this.#running;
  }

  /** Runs `work` when it is the principal's turn. @throws CmcpError `OVERLOADED`; `REQUEST_CANCELLED` when `signal` aborts before */
  async run<T>(principalId: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const principal = this.#principals.get(principalId) ?? { count: 0, waiting: new Set() };
    if (principal.count >= this.#limits.maxPerPrincipal) throw new CmcpError("OVERLOADED", `a principal may have ${this.#limits.maxPerPrincipal} requests under way`);
    this.#principals.set(principalId, principal);
    principal.count += 1;
    try {
      if (this.#running >= this.#limits.maxRunning) await this.#turn(principal, signal);
      else this.#running += 1;
      try {
        return await work();
      } finally {
        this.#running -= 1;
        this.#next();
      }
    } finally {
      principal.count -= 1;
      if (principal.count === 0) this.#principals.delete(principalId);
    }
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
      this.#running += 1;
      first();
      return;
    }
  }
}
