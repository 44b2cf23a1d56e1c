import { MAX_COUNTED_PRINCIPALS, PrincipalTable, type Counted } from "./principal-table.ts";
import { COUNT_BOUND, RollingCount } from "./rolling-count.ts";

/** When the kill switch trips by itself. */
export interface KillSwitchSettings {
  readonly windowMs: number;
  /** Part of the counted calls that are denied, more than 0 and at most 1. */
  readonly denyRateThreshold: number;
  /** Fewest calls in the window for a trip. */
  readonly minCalls: number;
}

/** What tripped the switch; `history`: the records do not show whether it was tripped. */
export type Trigger = "deny_rate" | "operator" | "history";

/** Why a principal's call is refused: it is blocked, or there is no room to count it. */
export type Hold = { readonly kind: "blocked"; readonly trigger: Trigger } | { readonly kind: "uncounted" };

class DenyRate implements Counted {
  readonly #allowed: RollingCount;
  readonly #denied: RollingCount;

  constructor(windowMs: number) {
    this.#allowed = new RollingCount(windowMs);
    this.#denied = new RollingCount(windowMs);
  }

  add(now: number, denied: boolean): void {
    (denied ? this.#denied : this.#allowed).add(now, 1);
  }

  /** Whether the rate is at the threshold. A count at its bound has no rate, and counts as reached. */
  isReached(now: number, { denyRateThreshold, minCalls }: KillSwitchSettings): boolean {
    const denied = this.#denied.total(now);
    const total = denied + this.#allowed.total(now);
    if (total >= COUNT_BOUND) return true;
    return total >= minCalls && denied / total >= denyRateThreshold;
  }

  isBlank(now: number): boolean {
    return this.#allowed.total(now) + this.#denied.total(now) === 0;
  }
}

/** The blocks that earlier records show. */
export interface RestoredBlocks {
  readonly blocked: Iterable<string>;
  /** Where the records are incomplete: everybody is blocked, but for the principals that an operator unblocked since. `null`: complete. */
  readonly unknownExcept: ReadonlySet<string> | null;
}

/**
 * Stops a principal at the call with which its deny rate reaches the threshold. A block lasts until an operator lifts it; the window is of
 * this process alone. Memory is bounded: a principal that cannot be counted, or whose block cannot be stored, is refused.
 */
export class KillSwitch {
  readonly #settings: KillSwitchSettings;
  readonly #now: () => number;
  readonly #max: number;
  readonly #rates: PrincipalTable<DenyRate>;
  readonly #blocks = new Map<string, Trigger>();
  #unknownExcept: Set<string> | null = null;
  #overflowed = false;

  /** @param now monotonic milliseconds */
  constructor(settings: KillSwitchSettings, now: () => number, max = MAX_COUNTED_PRINCIPALS) {
    this.#settings = settings;
    this.#now = now;
    this.#max = max;
    this.#rates = new PrincipalTable(() => new DenyRate(settings.windowMs), max);
  }

  /** Number of blocked principals that are known by name. */
  get blocked(): number {
    return this.#blocks.size;
  }

  /** Why the principal's calls are refused; `null` if they are not. */
  holdOf(principal: string): Hold | null {
    const trigger = this.#blocks.get(principal);
    if (trigger !== undefined) return { kind: "blocked", trigger };
    if (this.#unknownExcept !== null && !this.#unknownExcept.has(principal))
      return { kind: "blocked", trigger: "history" };
    // Which block did not fit is not known any more.
    if (this.#overflowed || !this.#rates.hasRoomFor(principal, this.#now())) return { kind: "uncounted" };
    return null;
  }

  /** Counts one call of a principal that is not held. @returns whether this call trips the switch */
  count(principal: string, denied: boolean): boolean {
    if (this.#blocks.has(principal)) return false;
    const now = this.#now();
    const rate = this.#rates.of(principal, now);
    if (rate === null) return false;
    rate.add(now, denied);
    if (!rate.isReached(now, this.#settings)) return false;
    this.block(principal, "deny_rate");
    return true;
  }

  /** Blocks a principal. A principal that is blocked already keeps its first trigger. @returns whether it was free */
  block(principal: string, trigger: Trigger): boolean {
    const free = this.holdOf(principal)?.kind !== "blocked";
    if (this.#blocks.has(principal)) return false;
    if (this.#blocks.size < this.#max) this.#blocks.set(principal, trigger);
    else this.#overflowed = true;
    return free;
  }

  /** Lifts a block and forgets what was counted. @returns false if the principal was not blocked */
  unblock(principal: string): boolean {
    const held = this.holdOf(principal)?.kind === "blocked";
    this.#blocks.delete(principal);
    this.#rates.forget(principal);
    if (this.#unknownExcept !== null && this.#unknownExcept.size < this.#max) this.#unknownExcept.add(principal);
    return held;
  }

  /** Takes over the blocks of earlier records. */
  restore({ blocked, unknownExcept }: RestoredBlocks): void {
    if (unknownExcept !== null) this.#unknownExcept = new Set(unknownExcept);
    for (const principal of blocked)
      if (this.#blocks.size < this.#max) this.#blocks.set(principal, "history");
      else this.#overflowed = true;
  }
}
