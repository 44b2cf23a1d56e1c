import type { CheckRecorder } from "../../checks/check.ts";
import { DEFAULT_FLOORS } from "../floors.ts";
import type { SevSnpPolicy } from "../policy.ts";
import type { FirmwareVersion } from "../report.ts";
import { tcbAtLeast, tcbEqual, tcbText } from "../tcb.ts";
import type { VerifiedSnpReport } from "../verified-report.ts";

const CODE = "EVIDENCE_TCB_NOT_ACCEPTED";

const versionText = ({ major, minor, build }: FirmwareVersion): string => `${major}.${minor}.${build}`;
const versionNumber = ({ major, minor, build }: FirmwareVersion): number => major * 0x1_0000 + minor * 0x100 + build;

/** Versions of firmware and microcode: their order, their floors, and what they mitigate. */
export function appraiseTcb(recorder: CheckRecorder, report: VerifiedSnpReport, { tcb: rules }: SevSnpPolicy): void {
  const { reportedTcb, committedTcb, currentTcb, launchTcb, currentVersion, committedVersion } = report;
  // AMD 56860, COMMITTED_TCB: the firmware keeps reported ≤ committed ≤ current.
  const ordered =
    tcbAtLeast(committedTcb, reportedTcb) &&
    tcbAtLeast(currentTcb, committedTcb) &&
    versionNumber(currentVersion) >= versionNumber(committedVersion);
  recorder.require("TCB order", ordered, CODE, {
    passed: "reported, committed and current are in order",
    failed: `reported ${tcbText(reportedTcb)}; committed ${tcbText(committedTcb)}; current ${tcbText(currentTcb)}`,
  });

  const floor = rules.floors[report.product] ?? DEFAULT_FLOORS[report.product];
  const required = `at least ${tcbText(floor)}`;
  recorder.require("reported TCB", tcbAtLeast(reportedTcb, floor), CODE, {
    passed: `${tcbText(reportedTcb)}; ${required}`,
    failed: `${tcbText(reportedTcb)} is below the floor of ${report.product}, ${required}`,
  });
  recorder.require("launch TCB", tcbAtLeast(launchTcb, floor), CODE, {
    passed: `${tcbText(launchTcb)}; ${required}`,
    failed: `the guest was launched on ${tcbText(launchTcb)}, below the floor of ${report.product}, ${required}`,
  });

  const committed =
    tcbEqual(committedTcb, currentTcb) && versionNumber(currentVersion) === versionNumber(committedVersion);
  if (rules.provisional_firmware === "any")
    recorder.notApplicable(
      "committed firmware",
      `${committed ? "everything is" : "not everything is"} committed; the policy accepts both`,
    );
  else
    recorder.require("committed firmware", committed, CODE, {
      passed: "what runs is committed",
      failed: `provisional: ${tcbText(currentTcb)} runs, ${tcbText(committedTcb)} is committed`,
    });

  const least = rules.min_firmware;
  if (least === undefined)
    recorder.notApplicable("firmware version", `${versionText(committedVersion)} is committed; the policy accepts any`);
  else
    recorder.require("firmware version", versionNumber(committedVersion) >= versionNumber(least), CODE, {
      passed: `${versionText(committedVersion)} is committed`,
      failed: `${versionText(committedVersion)} is committed, at least ${versionText(least)} is accepted`,
    });

  appraiseMitigations(recorder, "mitigations at launch", report.launchMitigations, BigInt(rules.launch_mitigations));
  appraiseMitigations(recorder, "mitigations now", report.currentMitigations, BigInt(rules.current_mitigations));
}

function appraiseMitigations(recorder: CheckRecorder, name: string, vector: bigint | null, required: bigint): void {
  const found = vector === null ? "a report before version 5 does not say" : `0x${vector.toString(16)}`;
  if (required === 0n) return recorder.notApplicable(name, `${found}; the policy requires none`);
  recorder.require(name, vector !== null && (vector & required) === required, CODE, {
    passed: found,
    failed: `${found}; required are 0x${required.toString(16)}`,
  });
}
