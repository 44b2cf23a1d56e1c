import { toHex, type JsonObject } from "@cmcp/boundary";
import type { EvidenceVerdict, VerifiedEvidence } from "./verdict.ts";

/** Trustworthiness tiers of AR4SI (draft-ietf-rats-ar4si): affirming, warning, contraindicated. */
const TIER = {
  verified: "affirming",
  authentic: "warning",
  rejected: "contraindicated",
  malformed: "contraindicated",
} as const;

/** The measurement of the image on its platform. */
function measurementOf(verified: VerifiedEvidence): Uint8Array {
  return verified.platform === "intel-tdx" ? verified.mrTd : verified.measurement;
}

/**
 * The verdict as an attestation result in the manner of EAR (draft-fv-rats-ear): unsigned, for whoever keeps results in
 * that form. It says what was checked and how it ended; nothing in it is evidence of its own.
 */
export function attestationResult(verdict: EvidenceVerdict, policyId: string): JsonObject {
  const { platform, outcome, assurance, at, checks, verified } = verdict;
  const status = outcome === "verified" && assurance === "authentic" ? TIER.authentic : TIER[outcome];
  return {
    eat_profile: "tag:github.com,2023:veraison/ear",
    iat: Math.floor(at.getTime() / 1000),
    "ear.verifier-id": { developer: "cmcp", build: "cmcp-evidence-verify" },
    submods: {
      [platform]: {
        "ear.status": status,
        "ear.appraisal-policy-id": policyId,
        "ear.veraison.annotated-evidence":
          verified === null ? {} : { assurance, measurement: toHex(measurementOf(verified)) },
        "cmcp.checks": checks.map(({ name, status: ended, code, why }) => ({
          name,
          status: ended,
          ...(code === undefined ? {} : { code }),
          why,
        })),
      },
    },
  };
}
