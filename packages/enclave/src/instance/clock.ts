import type { JsonObject } from "@cmcp/boundary";
import { TimeFloor, type TimeSources } from "@cmcp/identity";

/** Milliseconds since 1970. An honest clock is later than this. */
const FLOOR_MS = Date.UTC(2026, 0, 1);

/** The host controls wall time. This clock never runs backwards and never stops. */
export class Clock {
  readonly #time: TimeFloor;

  /** @param sources the platform's clocks where it is absent */
  constructor(sources?: TimeSources) {
    this.#time = new TimeFloor(FLOOR_MS, sources);
  }

  /** The host's time, but at least an earlier result plus the monotonic time since. */
  now(): Date {
    return new Date(this.#time.now());
  }

  /** From here on the time is never before this one, milliseconds since 1970, which is known to be over. */
  raise(time: number): void {
    this.#time.raise(time);
  }
}

/** Returns the policy in force, whose manifest has its date. */
type PolicyDate = () => { readonly bundle: { readonly manifest: JsonObject } };

/**
 * The time for checking tokens. It is never before the date of the policy in force. The policy's manifest is measured or signed, so a host
 * cannot set the clock back further than that.
 */
export class TokenClock {
  readonly #clock: Clock;
  readonly #policy: PolicyDate;
  #authored = 0;

  constructor(clock: Clock, policy: PolicyDate) {
    this.#clock = clock;
    this.#policy = policy;
  }

  /** Milliseconds since 1970. A manifest whose `authored_at` is not a date is ignored. */
  now(): number {
    const written = this.#policy().bundle.manifest["authored_at"];
    const authored = Date.parse(typeof written === "string" ? written : "");
    if (authored > this.#authored) this.#authored = authored;
    return Math.max(this.#clock.now().getTime(), this.#authored);
  }
}
