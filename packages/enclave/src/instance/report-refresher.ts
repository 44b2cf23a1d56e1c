import { randomBytes } from "node:crypto";
import type { Evidence } from "@cmcp/appraise/evidence";
import type { EntryFields } from "@cmcp/audit";
import { toBase64Url } from "@cmcp/boundary";
import type { Freshness } from "./freshness.ts";
import { instanceReport, type InstanceReport, type ReportCommitments } from "./report.ts";
import { reportFault } from "./stderr-events.ts";

/** How often the age of the report is looked at, in milliseconds. */
const INTERVAL_MS = 1_000;
/** Pause after a platform that gave no report, in milliseconds. */
export const RETRY_MS = 30_000;

/** A report of the instance for nobody in particular: its nonce is its own. */
export async function gatewayReport(
  commitments: ReportCommitments,
  policyHash: string,
  collect: (reportData: Uint8Array) => Promise<Evidence>,
): Promise<InstanceReport> {
  return await instanceReport(commitments, policyHash, toBase64Url(randomBytes(32)), collect);
}

/** What a refresh works on. */
export interface ReportRefresherPorts {
  readonly freshness: Freshness;
  readonly stalenessPolicy: string;
  /** Asks for a report of the instance under the policy in force. */
  readonly report: () => Promise<InstanceReport>;
  /** Notes something in every open session. */
  readonly note: (fields: Pick<EntryFields, "entry_type" | "detail">) => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/**
 * Replaces the instance's report before it is too old, and records that in every open session; so is that it became
 * too old. Sessions go on as they were.
 */
export class ReportRefresher {
  readonly #parts: ReportRefresherPorts;
  #nextTry = 0;
  #saidStale = false;

  constructor(parts: ReportRefresherPorts) {
    this.#parts = parts;
  }

  /** One look at the report's age. */
  async checkAge(): Promise<void> {
    const { freshness, stalenessPolicy, note, now } = this.#parts;
    if (freshness.isDue && now() >= this.#nextTry) await this.#refresh();
    if (!freshness.isStale) this.#saidStale = false;
    else if (!this.#saidStale) {
      this.#saidStale = true;
      const detail = { age_seconds: Math.floor(freshness.ageMs / 1000), staleness_policy: stalenessPolicy };
      note({ entry_type: "attestation_stale", detail });
    }
  }

  /** Looks at it for as long as the process lives. */
  start(): void {
    let looking = false;
    const timer = setInterval(() => {
      if (looking) return;
      looking = true;
      this.checkAge()
        .catch(reportFault)
        .finally(() => {
          looking = false;
        });
    }, INTERVAL_MS);
    timer.unref();
  }

  async #refresh(): Promise<void> {
    const { freshness, report, note, now } = this.#parts;
    this.#nextTry = now() + RETRY_MS;
    let made: InstanceReport;
    try {
      made = await report();
    } catch (thrown) {
      // The report in force is still what it was; when it is too old the configuration says what happens.
      reportFault(thrown);
      return;
    }
    freshness.renew();
    this.#nextTry = 0;
    const { report_data, generated_at, measurement } = made.evidence;
    note({ entry_type: "attestation_refresh", detail: { report_data, generated_at, measurement } });
  }
}
