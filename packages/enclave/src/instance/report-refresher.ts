import { randomBytes } from "node:crypto";
import type { Evidence } from "@cmcp/appraise/evidence";
import type { EntryFields } from "@cmcp/audit";
import { toBase64Url } from "@cmcp/boundary";
import type { Freshness } from "./freshness.ts";
import { instanceReport, type InstanceReport, type ReportCommitments, type RulesHashes } from "./report.ts";
import { reportFault } from "./stderr-events.ts";

/** How often the age of the report is checked, in milliseconds. */
const INTERVAL_MS = 1_000;
/** Pause after a failed report, in milliseconds. */
export const RETRY_MS = 30_000;

/** A report of the instance with a random nonce. */
export async function gatewayReport(
  commitments: ReportCommitments,
  rules: RulesHashes,
  collect: (reportData: Uint8Array) => Promise<Evidence>,
): Promise<InstanceReport> {
  return await instanceReport(commitments, rules, toBase64Url(randomBytes(32)), collect);
}

/** What refreshing needs. */
export interface ReportRefresherPorts {
  readonly freshness: Freshness;
  readonly stalenessPolicy: string;
  /** Whether the present report names the present keys to seal to. */
  readonly namesSealKeys: () => boolean;
  /** Makes a report of the instance under the rules in force. */
  readonly report: () => Promise<InstanceReport>;
  /** Adds an entry to every open session. */
  readonly note: (fields: Pick<EntryFields, "entry_type" | "detail">) => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/**
 * Replaces the instance's report before it is too old, and when there are other keys to seal to. Every open session gets an entry for a new
 * report, and one if the report is too old.
 */
export class ReportRefresher {
  readonly #parts: ReportRefresherPorts;
  #nextTry = 0;
  #saidStale = false;

  constructor(parts: ReportRefresherPorts) {
    this.#parts = parts;
  }

  /** Checks the age once, and makes a new report if it is due. */
  async checkAge(): Promise<void> {
    const { freshness, stalenessPolicy, namesSealKeys, note, now } = this.#parts;
    if ((freshness.isDue || !namesSealKeys()) && now() >= this.#nextTry) await this.#refresh();
    if (!freshness.isStale) this.#saidStale = false;
    else if (!this.#saidStale) {
      this.#saidStale = true;
      const detail = { age_seconds: Math.floor(freshness.ageMs / 1000), staleness_policy: stalenessPolicy };
      note({ entry_type: "attestation_stale", detail });
    }
  }

  /** Checks the age until the process ends. */
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
      // The present report stays in force. The configuration says what happens when it is too old.
      reportFault(thrown);
      return;
    }
    freshness.renew();
    this.#nextTry = 0;
    const { report_data, generated_at, measurement } = made.evidence;
    const { seal } = made.binding.keys;
    note({
      entry_type: "attestation_refresh",
      detail: { report_data, generated_at, measurement, ...(seal === undefined ? {} : { seal_keys: seal }) },
    });
  }
}
