import type { InstanceReport } from "./report.ts";

/**
 * The newest report of this instance under the policy in force, made for nobody's nonce. It shows whose keys these are, and not that the
 * instance still runs.
 */
export class PresentReport {
  #report: InstanceReport;

  constructor(report: InstanceReport) {
    this.#report = report;
  }

  get current(): InstanceReport {
    return this.#report;
  }

  /** @param report a newer one */
  replace(report: InstanceReport): void {
    this.#report = report;
  }
}
