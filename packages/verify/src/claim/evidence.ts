import {
  earlierEvidencePolicy,
  readEvidenceFile,
  verifyEvidenceParts,
  withCertificates,
  type EndorsedParts,
  type EvidenceFile,
  type EvidenceVerdict,
} from "@cmcp/appraise";
import type { Claim } from "@cmcp/claim/schema";
import { CmcpError, untrusted } from "@cmcp/boundary";
import type { Checklist } from "../checklist.ts";
import type { VerifierCrypto } from "../crypto.ts";
import type { Expectations } from "../expectations.ts";

/** Platforms, as claims name them, whose evidence can be verified. */
export const VERIFIABLE: readonly string[] = ["amd-sev-snp", "azure-cvm-sev-snp", "intel-tdx", "tpm2"];

/** The evidence of a claim as files. Its sender chooses every byte. */
export interface EvidenceRecord {
  /** The evidence file beside the claim. */
  readonly evidence?: Uint8Array;
  /** Certificates beside those in the evidence file, each DER or PEM. */
  readonly certificates?: readonly Uint8Array[];
  /** Vendor collateral beside that in the evidence file. */
  readonly collateral?: readonly Uint8Array[];
  /** An evidence file that the same TPM gave before: its clock must not have gone back since. */
  readonly earlierEvidence?: Uint8Array;
}

/** What an evidence file and the files beside it hold. Nothing of it is verified. */
export interface ClaimEvidenceFiles extends EndorsedParts {
  readonly file: EvidenceFile;
  readonly earlier: EndorsedParts | null;
}

/** Reads what was given for a claim of a hardware platform; `null` when there is nothing to verify, and why is a check. */
export function readEvidence(claim: Claim, record: EvidenceRecord, list: Checklist): ClaimEvidenceFiles | null {
  const { platform } = claim.trace.runtime;
  if (!VERIFIABLE.includes(platform)) {
    list.fail("platform evidence", "UNSUPPORTED_PROVIDER", `this version cannot verify evidence of ${platform}`);
    return null;
  }
  const { evidence, earlierEvidence } = record;
  if (evidence === undefined) {
    list.fail(
      "platform evidence",
      "EVIDENCE_MISSING",
      `the claim says ${platform}, and no evidence was given (--evidence)`,
    );
    return null;
  }
  const file = readFileOfClaim(claim, evidence, list);
  if (file === null) return null;
  const earlier =
    earlierEvidence === undefined
      ? null
      : list.attempt("earlier evidence file", "EVIDENCE_MALFORMED", "of the documented form", () =>
          endorsed(readEvidenceFile(untrusted(earlierEvidence)), record),
        );
  const parts = list.attempt("evidence given beside the file", "EVIDENCE_MALFORMED", "certificates can be read", () =>
    endorsed(file, record),
  );
  return parts === null ? null : { ...parts, file, earlier };
}

/** The evidence file beside a claim, of the platform that the claim names. */
export function readFileOfClaim({ trace }: Claim, evidence: Uint8Array, list: Checklist): EvidenceFile | null {
  const { platform } = trace.runtime;
  const file = list.attempt("evidence file", "EVIDENCE_MALFORMED", "of the documented form", () =>
    readEvidenceFile(untrusted(evidence)),
  );
  if (file === null) return null;
  const isSoftware = file.parts.provider === "software-only";
  if (isSoftware === (platform === "software-only") && file.platform === platform) return file;
  list.fail(
    "evidence platform",
    "CLAIM_INCONSISTENT",
    `the claim says ${platform}, the evidence is of ${file.platform}`,
  );
  return null;
}

function endorsed(
  { parts, collateral: own }: EvidenceFile,
  { certificates = [], collateral = [] }: EvidenceRecord,
): EndorsedParts {
  if (parts.provider === "software-only") throw new CmcpError("EVIDENCE_MALFORMED", "software-only is no evidence");
  return withCertificates({ parts, collateral: [...own, ...collateral] }, certificates);
}

/** The verdict on earlier evidence of the same machine. */
export async function verifyEarlierEvidence(
  crypto: VerifierCrypto,
  { earlier }: ClaimEvidenceFiles,
  { appraisal, now }: Expectations,
): Promise<{ readonly earlier?: EvidenceVerdict }> {
  return earlier === null
    ? {}
    : {
        earlier: await verifyEvidenceParts(
          earlier,
          { policy: earlierEvidencePolicy(appraisal), expected: {}, at: now },
          crypto,
        ),
      };
}
