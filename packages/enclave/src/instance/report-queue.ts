import { CmcpError } from "@cmcp/boundary";
import type { Evidence } from "@cmcp/appraise/evidence";
import type { Attester } from "@cmcp/attestation";
import { Admission } from "../access/admission.ts";
import type { Clock } from "./clock.ts";

/** Limits on reports. A TPM needs tenths of a second for one, and a host can slow down any platform. */
export interface ReportLimits {
  /** Most reports that one principal waits for. */
  readonly maxWaiting: number;
  /** Most reports that one principal requests on demand in {@link windowMs}. */
  readonly maxOnDemand: number;
  readonly windowMs: number;
}

/** The principal id of the gateway's own reports, at the start and at each refresh. */
const GATEWAY_PRINCIPAL = "";
const NEVER = new AbortController().signal;

interface RateWindow {
  readonly since: number;
  count: number;
}

/** Asks the platform for reports, one at a time. Principals take turns. */
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
   * Collects evidence over 64 bytes of report data, for a principal or for the gateway itself.
   * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`, `OVERLOADED`
   */
  async collect(reportData: Uint8Array, principalId: string = GATEWAY_PRINCIPAL): Promise<Evidence> {
    return await this.#turns.run(
      principalId,
      NEVER,
      async () => await this.#attester.collect(reportData, this.#clock.now().getTime()),
    );
  }

  /** As {@link collect}, for a report that a caller requests. @throws CmcpError `OVERLOADED` if the principal asks too often. */
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
        `a principal may ask for at most ${maxOnDemand} attestation reports in ${windowMs / 1000} s`,
      );
    window.count += 1;
    this.#onDemand.set(principalId, window);
  }
}
