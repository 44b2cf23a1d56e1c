import { CmcpError } from "@cmcp/boundary";

/** The most that a principal's past counts against it, or for it, in milliseconds. */
const MAX_BALANCE_MS = 60_000;

/** Gives a slot back. */
type ReleaseSlot = () => void;

/** What one principal has under way. */
export class PrincipalLoad {
  /** Requests that run or wait. */
  requests = 0;
  /** Open questions. One may outlive its request, until its agent knows that it is void. */
  questions = 0;
  /** In their order. */
  readonly waiting = new Set<(release: ReleaseSlot) => void>();
  #running = 0;
  #balance = 0;
  #since: number;

  /** @param now monotonic milliseconds */
  constructor(now: number) {
    this.#since = now;
  }

  /** Whether nothing of the principal is here. With anything open it would begin anew, beside what it has. */
  get idle(): boolean {
    return this.requests === 0 && this.questions === 0 && this.waiting.size === 0;
  }

  /** Milliseconds that its requests have held slots, each for itself, less those that it has waited with none running. */
  balance(now: number): number {
    const rate = this.#running === 0 && this.waiting.size > 0 ? -1 : this.#running;
    const balance = this.#balance + (now - this.#since) * rate;
    this.#since = now;
    this.#balance = Math.max(-MAX_BALANCE_MS, Math.min(MAX_BALANCE_MS, balance));
    return this.#balance;
  }

  /** One more request runs, or one fewer. */
  run(change: 1 | -1, now: number): void {
    this.balance(now);
    this.#running += change;
  }

  /**
   * Waits for a slot, behind the principal's other requests.
   * @throws CmcpError `REQUEST_CANCELLED` when `signal` aborts before
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

  /** Hands a slot to the request that has waited longest. */
  grant(release: ReleaseSlot): void {
    const [first] = this.waiting;
    if (first === undefined) return release();
    this.waiting.delete(first);
    first(release);
  }
}

/** Whose turn it is of those that may run: the one with the smallest balance. Of two that are equal the first goes first. */
export function nextPrincipal(
  open: readonly (readonly [string, PrincipalLoad])[],
  now: number,
): readonly [string, PrincipalLoad] | undefined {
  return open.map((one) => ({ one, balance: one[1].balance(now) })).toSorted((a, b) => a.balance - b.balance)[0]?.one;
}
