import { randomBytes } from "node:crypto";
import { toBase64Url } from "@cmcp/boundary";
import type { EntryFields } from "@cmcp/audit";
import type { Core } from "../boot/core.ts";
import { instanceReport, type InstanceReport, type Reported } from "./report.ts";
import { record } from "../record/recorder.ts";
import { reportFault } from "./report-fault.ts";

/** How often the age of the report is looked at, in milliseconds. */
const EVERY_MS = 1_000;
/** Pause after a platform that gave no report, in milliseconds. */
export const RETRY_MS = 30_000;

/** A report of the instance for nobody in particular: its nonce is its own. */
export async function ownReport(
  reported: Reported & Pick<Core, "reports">,
  policyHash: string,
): Promise<InstanceReport> {
  return await instanceReport(reported, policyHash, toBase64Url(randomBytes(32)), (reportData) =>
    reported.reports.collect(reportData),
  );
}

/**
 * Replaces the instance's report before it is too old, and records that in every open session; so is that it became
 * too old. Sessions go on as they were.
 */
export class Refresher {
  readonly #core: Core;
  readonly #now: () => number;
  #nextTry = 0;
  #saidStale = false;

  /** @param now monotonic milliseconds */
  constructor(core: Core, now: () => number) {
    this.#core = core;
    this.#now = now;
  }

  /** One look at the report's age. */
  async look(): Promise<void> {
    const { freshness } = this.#core;
    if (freshness.due && this.#now() >= this.#nextTry) await this.#refresh();
    if (!freshness.stale) this.#saidStale = false;
    else if (!this.#saidStale) {
      this.#saidStale = true;
      this.#recordInOpenSessions("attestation_stale", {
        age_seconds: Math.floor(freshness.ageMs / 1000),
        staleness_policy: this.#core.config.attestation.staleness_policy,
      });
    }
  }

  async #refresh(): Promise<void> {
    this.#nextTry = this.#now() + RETRY_MS;
    let report: InstanceReport;
    try {
      report = await ownReport(this.#core, this.#core.policy.bundle.hash);
    } catch (thrown) {
      // The report in force is still what it was; when it is too old the configuration says what happens.
      reportFault(thrown);
      return;
    }
    this.#core.freshness.renew();
    this.#nextTry = 0;
    const { report_data, generated_at, measurement } = report.evidence;
    this.#recordInOpenSessions("attestation_refresh", { report_data, generated_at, measurement });
  }

  #recordInOpenSessions(entryType: EntryFields["entry_type"], detail: Record<string, string | number>): void {
    for (const recorded of this.#core.sessions.openSessions()) {
      if (recorded.started === null || recorded.ended || recorded.chain.room === 0) continue;
      // An entry the host is slow to take is retried by the journal; the chain has it already.
      record(this.#core, recorded, {
        entry_type: entryType,
        policy_decision: "n/a",
        response_inspection_result: "n/a",
        detail,
      }).stored.catch(reportFault);
    }
  }
}

/** Looks at the report's age for as long as the process lives. */
export function startRefreshing(core: Core): void {
  const refresher = new Refresher(core, () => performance.now());
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    refresher
      .look()
      .catch(reportFault)
      .finally(() => {
        looking = false;
      });
  }, EVERY_MS);
  timer.unref();
}
