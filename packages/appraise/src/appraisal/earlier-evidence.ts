import type { EarlierClock } from "../tpm/clock.ts";
import type { CheckRecorder } from "../checks/check.ts";
import type { AppraisalPolicy } from "./policy.ts";
import type { EvidenceVerdict, VerifiedEvidence } from "./verdict.ts";

/**
 * How earlier evidence of the same machine is verified before its clock is believed: signature and chain under the
 * same trust anchors. Nothing is appraised, as what the machine was then is not asked.
 */
export function earlierEvidencePolicy(policy: AppraisalPolicy): AppraisalPolicy {
  return {
    ...policy,
    required: [],
    tpm: { ...policy.tpm, authenticity_only: true },
    azure_cvm: { ...policy.azure_cvm, authenticity_only: true },
  };
}

type WithClock = Extract<VerifiedEvidence, { readonly platform: "tpm2" | "azure-cvm" }>;

function withClock(verified: VerifiedEvidence | null | undefined): WithClock | null {
  return verified?.platform === "tpm2" || verified?.platform === "azure-cvm" ? verified : null;
}

/** The clock that a quote is compared with; nothing where earlier evidence has none, or was not verified. */
export function earlierClockOf(earlier: EvidenceVerdict | undefined): { readonly earlierClock?: EarlierClock } {
  const found = withClock(earlier?.verified);
  return found === null ? {} : { earlierClock: found.clockInfo };
}

/** Records the check `earlier evidence`: it is authentic and of the same key, so that its clock is the same clock. */
export function checkEarlierEvidence(
  recorder: CheckRecorder,
  verified: VerifiedEvidence,
  earlier: EvidenceVerdict,
): void {
  const check = "earlier evidence";
  const [now, before] = [withClock(verified), withClock(earlier.verified)];
  if (now === null) return recorder.notApplicable(check, "evidence of this platform has no clock");
  if (before === null) {
    const failed = earlier.checks.find(({ status }) => status === "failed");
    return recorder.fail(
      check,
      failed?.code ?? "EVIDENCE_MALFORMED",
      failed === undefined ? "it has no clock" : `${failed.name}: ${failed.why}`,
    );
  }
  recorder.require(check, now.attestationKeySha256 === before.attestationKeySha256, "EVIDENCE_POLICY_VIOLATION", {
    passed: "authentic, and quoted with the same attestation key",
    failed: "it was quoted with another attestation key",
  });
}
