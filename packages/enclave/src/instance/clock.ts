import type { JsonObject } from "@cmcp/boundary";
import { TimeFloor } from "@cmcp/identity";

/** Milliseconds since 1970 before which no honest clock can be: the year this code was written. */
const FLOOR_MS = Date.UTC(2026, 0, 1);

/** Wall time is the host's word; this clock refuses to let it run backwards, and to let it stand still. */
export class Clock {
  readonly #time = new TimeFloor(FLOOR_MS);

  /** The host's time, never earlier than any time given before plus what has passed since on the monotonic clock. */
  now(): Date {
    return new Date(this.#time.now());
  }
}

/** The policy in force, as far as it says when it was written. */
type PolicyDate = () => { readonly bundle: { readonly manifest: JsonObject } };

/**
 * The time tokens are held to: never before the policy in force was written. Its manifest is measured or signed, so a
 * host that sets the clock back before it starts an enclave comes no further back than that.
 */
export class TokenClock {
  readonly #clock: Clock;
  readonly #policy: PolicyDate;
  #authored = 0;

  constructor(clock: Clock, policy: PolicyDate) {
    this.#clock = clock;
    this.#policy = policy;
  }

  /** Milliseconds since 1970. A manifest whose `authored_at` is no date says nothing. */
  now(): number {
    const written = this.#policy().bundle.manifest["authored_at"];
    const authored = Date.parse(typeof written === "string" ? written : "");
    if (authored > this.#authored) this.#authored = authored;
    return Math.max(this.#clock.now().getTime(), this.#authored);
  }
}
