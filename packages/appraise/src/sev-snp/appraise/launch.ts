import type { CheckRecorder } from "../../checks/check.ts";
import { bytesEqual, isZero, toHex } from "@cmcp/boundary";
import type { SevSnpPolicy } from "../policy.ts";
import type { VerifiedSnpReport } from "../verified-report.ts";

/** What the relying party knows and the policy file does not. */
export interface SnpExpectations {
  /** The 64 bytes the report was asked to carry. */
  readonly reportData?: Uint8Array;
  /** Accepted launch measurements, 48 bytes in hex each, `sha384:` before it allowed. */
  readonly measurements?: readonly string[];
  /** The 32 bytes the launch document hashes to. */
  readonly launchDigest?: Uint8Array;
}

/** What was launched, for what purpose, and with which configuration. */
export function appraiseLaunch(
  recorder: CheckRecorder,
  report: VerifiedSnpReport,
  policy: SevSnpPolicy,
  expected: SnpExpectations,
): void {
  appraiseMeasurement(recorder, report, policy, expected.measurements);
  if (expected.reportData === undefined)
    recorder.notPerformed(
      "report data",
      "no report data was expected; without it the evidence may be old or made for another purpose",
    );
  else
    recorder.require(
      "report data",
      bytesEqual(report.reportData, expected.reportData),
      "EVIDENCE_REPORT_DATA_MISMATCH",
      { passed: "all 64 bytes are the expected ones", failed: "REPORT_DATA is not what was expected" },
    );
  appraiseHostData(recorder, report, policy, expected.launchDigest);
}

function appraiseMeasurement(
  recorder: CheckRecorder,
  { measurement }: VerifiedSnpReport,
  policy: SevSnpPolicy,
  expected: readonly string[] | undefined,
): void {
  const lists = [
    policy.measurements.length > 0 ? policy.measurements : undefined,
    expected?.map((text) => text.toLowerCase().replace(/^sha384:/, "")),
  ].filter((list) => list !== undefined);
  if (lists.length === 0) return recorder.notPerformed("measurement", "no measurement was expected; any image passes");
  const found = toHex(measurement);
  recorder.require(
    "measurement",
    lists.every((list) => list.includes(found)),
    "EVIDENCE_MEASUREMENT_MISMATCH",
    { passed: "the launch measurement is an accepted one", failed: `the launch measurement is ${found}` },
  );
}

function appraiseHostData(
  recorder: CheckRecorder,
  { hostData }: VerifiedSnpReport,
  { host_data }: SevSnpPolicy,
  launchDigest: Uint8Array | undefined,
): void {
  const name = "launch document";
  if (launchDigest !== undefined) {
    recorder.require(name, bytesEqual(hostData, launchDigest), "EVIDENCE_LAUNCH_NOT_BOUND", {
      passed: "HOST_DATA is the launch document's digest",
      failed: "HOST_DATA is another value than the launch document's digest",
    });
  } else if (host_data.accepted.length > 0) {
    recorder.require(name, host_data.accepted.includes(toHex(hostData)), "EVIDENCE_LAUNCH_NOT_BOUND", {
      passed: "HOST_DATA is an accepted value",
      failed: "HOST_DATA is none of the accepted values",
    });
  } else if (isZero(hostData) || host_data.unexpected === "any") {
    recorder.notPerformed(
      name,
      isZero(hostData)
        ? "no launch digest was expected, and HOST_DATA is zero"
        : "no launch digest was expected; HOST_DATA commits to something nobody looked at",
    );
  } else {
    recorder.fail(
      name,
      "EVIDENCE_LAUNCH_NOT_BOUND",
      "HOST_DATA commits to something, and no launch digest was expected",
    );
  }
}
