import { CmcpError } from "@cmcp/boundary";
import type { Config } from "@cmcp/launch";

/** Share of its validity after which a report is replaced. */
const DUE_AFTER = 0.75;

/** Two clocks. The host sets the first and cannot stop the second. */
export interface Clocks {
  /** Milliseconds since the epoch. */
  wall(): number;
  /** Milliseconds that only go forward. */
  monotonic(): number;
}

/** The age of the instance's report, by the clock that shows the higher age. */
export class Freshness {
  readonly #validityMs: number;
  readonly #failClosed: boolean;
  readonly #clocks: Clocks;
  #reportedAt: { readonly wall: number; readonly monotonic: number };

  /** Starts with a report that was made now. */
  constructor(
    {
      validity_seconds: validity,
      staleness_policy: policy,
    }: Pick<Config["attestation"], "validity_seconds" | "staleness_policy">,
    clocks: Clocks,
  ) {
    this.#validityMs = validity * 1000;
    this.#failClosed = policy === "fail_closed";
    this.#clocks = clocks;
    this.#reportedAt = { wall: clocks.wall(), monotonic: clocks.monotonic() };
  }

  /** Notes that a report was made now. */
  renew(): void {
    this.#reportedAt = { wall: this.#clocks.wall(), monotonic: this.#clocks.monotonic() };
  }

  get ageMs(): number {
    return Math.max(this.#clocks.wall() - this.#reportedAt.wall, this.#clocks.monotonic() - this.#reportedAt.monotonic);
  }

  get isStale(): boolean {
    return this.ageMs > this.#validityMs;
  }

  /** Whether it is time for the next report. */
  get isDue(): boolean {
    return this.ageMs >= this.#validityMs * DUE_AFTER;
  }

  /** @throws CmcpError `ATTESTATION_STALE` if the report is too old and the configuration says `fail_closed`. */
  requireFresh(): void {
    if (this.#failClosed && this.isStale)
      throw new CmcpError(
        "ATTESTATION_STALE",
        "the attestation report is older than attestation.validity_seconds and could not be replaced",
      );
  }
}
