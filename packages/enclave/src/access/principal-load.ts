import { CmcpError } from "@cmcp/boundary";

/** Largest balance of a principal in either direction, in milliseconds. */
const MAX_BALANCE_MS = 60_000;

/** Gives a slot back. */
type ReleaseSlot = () => void;

/** The requests and questions of one principal. */
export class PrincipalLoad {
  /** Number of requests that run or wait. */
  requests = 0;
  /** Number of open questions. One can outlive its request until the agent hears that it is cancelled. */
  questions = 0;
  /** Waiting requests, oldest first. */
  readonly waiting = new Set<(release: ReleaseSlot) => void>();
  #running = 0;
  #balance = 0;
  #since: number;

  /** @param now monotonic milliseconds */
  constructor(now: number) {
    this.#since = now;
  }

  /** Whether the principal has no request and no question, so that it can be dropped. */
  get idle(): boolean {
    return this.requests === 0 && this.questions === 0 && this.waiting.size === 0;
  }

  /** Slot time of the principal in milliseconds: the time of each running request, less the time it waited with none running. */
  balance(now: number): number {
    const rate = this.#running === 0 && this.waiting.size > 0 ? -1 : this.#running;
    const balance = this.#balance + (now - this.#since) * rate;
    this.#since = now;
    this.#balance = Math.max(-MAX_BALANCE_MS, Math.min(MAX_BALANCE_MS, balance));
    return this.#balance;
  }

  /** Notes that one more request runs, or one fewer. */
  run(change: 1 | -1, now: number): void {
    this.balance(now);
    this.#running += change;
  }

  /**
   * Waits for a slot, behind the principal's other requests.
   * @throws CmcpError `REQUEST_CANCELLED` if `signal` aborts before
   */
  async wait(signal: AbortSignal, now: number): Promise<ReleaseSlot> {
    this.balance(now);
    const turn = Promise.withResolvers<ReleaseSlot>();
    const abandon = (): void => {
      if (this.waiting.delete(turn.resolve)) turn.reject(new CmcpError("REQUEST_CANCELLED", "the caller went away"));
    };
    this.waiting.add(turn.resolve);
    signal.addEventListener("abort", abandon, { once: true });
    if (signal.aborted) abandon();
    try {
      return await turn.promise;
    } finally {
      signal.removeEventListener("abort", abandon);
    }
  }

  /** Gives a slot to the request that has waited longest. */
  grant(release: ReleaseSlot): void {
    const [first] = this.waiting;
    if (first === undefined) return release();
    this.waiting.delete(first);
    first(release);
  }
}

/** The principal with the smallest balance; of equals, the first. */
export function nextPrincipal(
  open: readonly (readonly [string, PrincipalLoad])[],
  now: number,
): readonly [string, PrincipalLoad] | undefined {
  return open.map((one) => ({ one, balance: one[1].balance(now) })).toSorted((a, b) => a.balance - b.balance)[0]?.one;
}
