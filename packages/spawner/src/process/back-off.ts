import type { ProcessLimits } from "./limits.ts";

/** Identities whose crashes are remembered at one time; beyond that the oldest is forgotten. */
const MAX_REMEMBERED = 4_096;

interface Crashes {
  readonly inARow: number;
  /** Monotonic milliseconds. */
  readonly until: number;
}

/** How long identities whose process crashed must wait. */
export class BackOff {
  readonly #limits: ProcessLimits;
  readonly #crashes = new Map<string, Crashes>();

  constructor(limits: ProcessLimits) {
    this.#limits = limits;
  }

  /** Milliseconds for which no process may be started; 0 for none. */
  remaining(key: string, now: number): number {
    return Math.max(0, (this.#crashes.get(key)?.until ?? 0) - now);
  }

  /** A process that had lived `livedMs` crashed, or did not start. */
  crashed(key: string, livedMs: number, now: number): void {
    const { firstDelayMs, mostDelayMs, stableMs } = this.#limits;
    const inARow = livedMs >= stableMs ? 1 : (this.#crashes.get(key)?.inARow ?? 0) + 1;
    // Deleted first, so that the order of the map is that of the last crash.
    this.#crashes.delete(key);
    this.#crashes.set(key, {
      inARow,
      until: now + Math.min(mostDelayMs, firstDelayMs * 2 ** Math.min(inARow - 1, 30)),
    });
    if (this.#crashes.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#crashes.keys()) {
      this.#crashes.delete(oldest);
      return;
    }
  }
}
