import { bytesEqual, isZero, toHex } from "@cmcp/boundary";
import type { CheckRecorder } from "../checks/check.ts";
import { attributeNames, TD_ATTRIBUTES, XFAM_FIXED0, XFAM_FIXED1, type TdAttribute } from "./attributes.ts";
import type { AuthenticTdxQuote } from "./authenticate.ts";
import type { TdxPolicy } from "./policy.ts";
import type { TdReport } from "./td-report.ts";

/** What the caller knows the evidence has to carry. */
export interface TdxExpectations {
  /** The 64 bytes the TD was to put in its report. */
  readonly reportData?: Uint8Array;
  /** Accepted MRTD values, hex. */
  readonly measurements?: readonly string[];
  /** SHA-384 of the launch document, which MRCONFIGID carries: 48 bytes. */
  readonly launchDigest?: Uint8Array;
}

/** A TD under debug is worth nothing, whatever else holds. Records the check `debug`. */
export function appraiseDebug(recorder: CheckRecorder, { tdAttributes }: AuthenticTdxQuote): void {
  recorder.require("debug", (tdAttributes & bitOf("DEBUG")) === 0n, "EVIDENCE_DEBUG", {
    passed: "the TD is not under debug",
    failed: "the TD is under debug: the host reads and writes its memory",
  });
}

/** Appraises an authentic TD report by the policy and what the caller expects. Records a check for every property. */
export function appraiseTd(
  recorder: CheckRecorder,
  report: AuthenticTdxQuote,
  policy: TdxPolicy,
  expected: TdxExpectations,
): void {
  checkAttributes(recorder, report.tdAttributes, policy);
  checkFeatures(recorder, report);
  checkMeasurements(recorder, report, policy, expected);
  checkCarriers(recorder, report, policy, expected);
  if (expected.reportData === undefined)
    recorder.notPerformed("report data", "no report data was expected: whom the evidence was made for is not shown");
  else
    recorder.require(
      "report data",
      bytesEqual(report.reportData, expected.reportData),
      "EVIDENCE_REPORT_DATA_MISMATCH",
      { passed: "all 64 bytes are as expected", failed: `the report carries ${toHex(report.reportData)}` },
    );
}

const bitOf = (name: TdAttribute): bigint => 1n << BigInt(TD_ATTRIBUTES[name]);
const bitsOf = (names: readonly TdAttribute[]): bigint => names.reduce((bits, name) => bits | bitOf(name), 0n);

function checkAttributes(recorder: CheckRecorder, attributes: bigint, policy: TdxPolicy): void {
  const extra = attributes & ~(bitsOf(policy.allowed_attributes) | bitsOf(policy.required_attributes) | bitOf("DEBUG"));
  const missing = bitsOf(policy.required_attributes) & ~attributes;
  const why = [
    extra === 0n ? "" : `${attributeNames(extra).join(", ")} set`,
    missing === 0n ? "" : `${attributeNames(missing).join(", ")} not set`,
  ]
    .filter((text) => text !== "")
    .join("; ");
  recorder.require("TD attributes", why === "", "EVIDENCE_POLICY_VIOLATION", {
    passed: attributeNames(attributes).join(", ") || "none set",
    failed: why,
  });
}

function checkFeatures(recorder: CheckRecorder, { xfam, seamAttributes, mrSignerSeam }: TdReport): void {
  const fixed = (xfam & XFAM_FIXED1) === XFAM_FIXED1 && (xfam & ~XFAM_FIXED0) === 0n;
  recorder.require("XFAM", fixed, "EVIDENCE_POLICY_VIOLATION", {
    passed: xfam.toString(16),
    failed: `${xfam.toString(16)} has bits no TD can have, or lacks ones every TD has`,
  });
  const intel = seamAttributes === 0n && isZero(mrSignerSeam);
  recorder.require("TDX module signer", intel, "EVIDENCE_POLICY_VIOLATION", {
    passed: "Intel's module, no attributes",
    failed: `signer ${toHex(mrSignerSeam)}, attributes ${seamAttributes.toString(16)}`,
  });
}

function checkMeasurements(
  recorder: CheckRecorder,
  report: TdReport,
  policy: TdxPolicy,
  expected: TdxExpectations,
): void {
  const mrtd = [expected.measurements ?? [], policy.measurements].filter((accepted) => accepted.length > 0);
  checkAllowed(recorder, "MRTD", report.mrTd, mrtd.length === 0 ? undefined : mrtd);
  for (const [index, accepted] of [policy.rtmr0, policy.rtmr1, policy.rtmr2].entries())
    checkAllowed(
      recorder,
      `RTMR${index}`,
      report.rtmrs[index] ?? new Uint8Array(),
      accepted === undefined ? undefined : [accepted],
    );
  checkExact(recorder, "RTMR3", "EVIDENCE_MEASUREMENT_MISMATCH", [report.rtmrs[3], policy.rtmr3]);
}

/** Compares with every list of accepted values there is; without one nothing says what the value should be. */
function checkAllowed(
  recorder: CheckRecorder,
  name: string,
  value: Uint8Array,
  lists: readonly (readonly string[])[] | undefined,
): void {
  const hex = toHex(value);
  if (lists === undefined) return recorder.notPerformed(name, `no accepted value was given; it is ${hex}`);
  const accepted = lists.every((list) => list.some((one) => one.toLowerCase() === hex));
  recorder.require(name, accepted, "EVIDENCE_MEASUREMENT_MISMATCH", {
    passed: hex,
    failed: `${hex} is not an accepted value`,
  });
}

function checkExact(
  recorder: CheckRecorder,
  name: string,
  code: "EVIDENCE_MEASUREMENT_MISMATCH" | "EVIDENCE_POLICY_VIOLATION" | "EVIDENCE_LAUNCH_NOT_BOUND",
  [value, expected]: readonly [value: Uint8Array, expected: string],
): void {
  const hex = toHex(value);
  recorder.require(name, hex === expected, code, {
    passed: isZero(value) ? "zero" : hex,
    failed: `${hex}, expected ${/^0*$/.test(expected) ? "zero" : expected}`,
  });
}

/** Registers the host chose at launch: an expected value, or nothing. */
function checkCarriers(recorder: CheckRecorder, report: TdReport, policy: TdxPolicy, expected: TdxExpectations): void {
  if (expected.launchDigest === undefined) {
    recorder.notPerformed(
      "launch digest",
      "no launch digest was expected: what the TD was configured with is not shown",
    );
    checkExact(recorder, "MRCONFIGID", "EVIDENCE_POLICY_VIOLATION", [
      report.mrConfigId,
      policy.mrconfigid ?? "0".repeat(96),
    ]);
  } else
    checkExact(recorder, "launch digest", "EVIDENCE_LAUNCH_NOT_BOUND", [
      report.mrConfigId,
      toHex(expected.launchDigest),
    ]);
  checkExact(recorder, "MROWNER", "EVIDENCE_POLICY_VIOLATION", [report.mrOwner, policy.mrowner]);
  checkExact(recorder, "MROWNERCONFIG", "EVIDENCE_POLICY_VIOLATION", [report.mrOwnerConfig, policy.mrownerconfig]);
  if (report.mrServiceTd === null) recorder.notApplicable("MRSERVICETD", "a report of TDX 1.0 has no such register");
  else checkExact(recorder, "MRSERVICETD", "EVIDENCE_POLICY_VIOLATION", [report.mrServiceTd, policy.mrservicetd]);
}
