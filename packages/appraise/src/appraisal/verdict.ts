import type { VerifiedAzureCvm } from "../azure/verify.ts";
import type { Check } from "../checks/check.ts";
import type { VerifiedSnpReport } from "../sev-snp/verify.ts";
import type { VerifiedTdxQuote } from "../tdx/verify.ts";
import type { VerifiedTpm } from "../tpm/verify.ts";
import type { Assurance } from "./assurance.ts";
import type { EvidencePlatform } from "./requirements.ts";

/** Verified evidence of any platform. Values of the machine can be read from here and from nowhere else. */
export type VerifiedEvidence = VerifiedSnpReport | VerifiedTdxQuote | VerifiedTpm | VerifiedAzureCvm;

/** `verified` needs authentic evidence, no failed check, and every required check passed. */
export type EvidenceOutcome = "verified" | "rejected" | "malformed";

/** The appraisal of one piece of evidence. */
export interface EvidenceVerdict {
  readonly platform: EvidencePlatform;
  readonly outcome: EvidenceOutcome;
  readonly assurance: Assurance;
  readonly at: Date;
  readonly verified: VerifiedEvidence | null;
  readonly checks: readonly Check[];
}
