import { CmcpError } from "@cmcp/boundary";
import type { RecordedSession } from "./recorded-session.ts";

/** Limits of {@link EvictedSessions}. */
export interface EvictedLimits {
  readonly max: number;
  readonly maxPerPrincipal: number;
}

/** Milliseconds for which a new session waits for room. */
const ROOM_MS = 10_000;

interface WaitingOpening {
  readonly principalId: string;
  readonly proceed: () => void;
}

/**
 * Evicted sessions that are not closed yet. Closing needs a report, which takes a TPM tenths of a second, and opening a session is fast.
 * Without a limit, evicted sessions could fill the memory.
 */
export class EvictedSessions {
  readonly #limits: EvictedLimits;
  readonly #sessions = new Map<string, Set<RecordedSession>>();
  readonly #arrivals = new Set<WaitingOpening>();
  #size = 0;

  constructor(limits: EvictedLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  add(recorded: RecordedSession): void {
    const { principalId } = recorded.session;
    const own = this.#sessions.get(principalId) ?? new Set();
    if (own.has(recorded)) return;
    this.#sessions.set(principalId, own.add(recorded));
    this.#size += 1;
  }

  /** Removes a closed session, and lets a waiting caller open one. */
  remove(recorded: RecordedSession): void {
    const { principalId } = recorded.session;
    const own = this.#sessions.get(principalId);
    if (own?.delete(recorded) !== true) return;
    this.#size -= 1;
    if (own.size === 0) this.#sessions.delete(principalId);
    const next = this.#arrivals.values().find((arrival) => this.#hasRoom(arrival.principalId));
    if (next === undefined) return;
    this.#arrivals.delete(next);
    next.proceed();
  }

  /**
   * Waits until the number of evicted sessions is below the limit, for the principal and in all.
   * @throws CmcpError `SESSION_LIMIT_REACHED` after 10 s
   */
  async waitForRoom(principalId: string): Promise<void> {
    if (this.#hasRoom(principalId)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const arrival: WaitingOpening = { principalId, proceed: resolve };
    this.#arrivals.add(arrival);
    const timer = setTimeout(() => {
      this.#arrivals.delete(arrival);
      reject(
        new CmcpError(
          "SESSION_LIMIT_REACHED",
          "sessions are opened faster than earlier ones can be closed; try again later",
        ),
      );
    }, ROOM_MS);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #hasRoom(principalId: string): boolean {
    return this.#size < this.#limits.max && (this.#sessions.get(principalId)?.size ?? 0) < this.#limits.maxPerPrincipal;
  }
}
