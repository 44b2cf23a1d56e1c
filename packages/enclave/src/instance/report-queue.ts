import { CmcpError } from "@cmcp/boundary";
import type { Evidence } from "@cmcp/appraise/evidence";
import type { Attester } from "@cmcp/attestation";
import { Admission } from "../access/admission.ts";
import type { Clock } from "./clock.ts";

/** Bounds on reports. Making one takes a TPM tenths of a second, and a host can slow any platform. */
export interface ReportLimits {
  /** Reports one principal may wait for at one time. */
  readonly maxWaiting: number;
  /** Reports one principal may ask for on demand in {@link windowMs}. */
  readonly maxOnDemand: number;
  readonly windowMs: number;
}

/** What the gateway itself asks for, at start and when it refreshes. */
const GATEWAY_PRINCIPAL = "";
const NEVER = new AbortController().signal;

interface RateWindow {
  readonly since: number;
  count: number;
}

/** Asks the platform for reports: one at a time, principals in turn. */
export class ReportQueue {
  readonly #attester: Attester;
  readonly #clock: Clock;
  readonly #limits: ReportLimits;
  readonly #now: () => number;
  readonly #turns: Admission;
  readonly #onDemand = new Map<string, RateWindow>();

  /** @param now monotonic milliseconds */
  constructor(attester: Attester, clock: Clock, limits: ReportLimits, now: () => number) {
    this.#attester = attester;
    this.#clock = clock;
    this.#limits = limits;
    this.#now = now;
    this.#turns = new Admission({ maxRunning: 1, maxPerPrincipal: limits.maxWaiting }, now);
  }

  /**
   * A report over 64 bytes, for a principal or for the gateway itself.
   * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`, `OVERLOADED`
   */
  async collect(reportData: Uint8Array, principalId: string = GATEWAY_PRINCIPAL): Promise<Evidence> {
    return await this.#turns.run(
      principalId,
      NEVER,
      async () => await this.#attester.collect(reportData, this.#clock.now().getTime()),
    );
  }

  /** As {@link collect}, for whoever asks for a report of their own. @throws CmcpError `OVERLOADED` beyond the principal's share. */
  async collectOnDemand(reportData: Uint8Array, principalId: string): Promise<Evidence> {
    this.#count(principalId);
    return await this.collect(reportData, principalId);
  }

  #count(principalId: string): void {
    const now = this.#now();
    const { maxOnDemand, windowMs } = this.#limits;
    const known = this.#onDemand.get(principalId);
    const window = known === undefined || now - known.since >= windowMs ? { since: now, count: 0 } : known;
    if (window.count >= maxOnDemand)
      throw new CmcpError(
        "OVERLOADED",
        `a principal may ask for ${maxOnDemand} attestation reports in ${windowMs / 1000} s`,
      );
    window.count += 1;
    this.#onDemand.set(principalId, window);
  }
}
