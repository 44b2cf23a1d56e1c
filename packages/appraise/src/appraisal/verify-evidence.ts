import { asCmcpError, type ErrorCode } from "@cmcp/boundary";
import { readAzureCvmEvidence } from "../azure/read-evidence.ts";
import { verifyAzureCvm } from "../azure/verify.ts";
import { splitExtendedReport } from "../sev-snp/extended-report.ts";
import { verifySevSnp } from "../sev-snp/verify.ts";
import { verifyTdx } from "../tdx/verify.ts";
import { readTpmEvidence } from "../tpm/read-evidence.ts";
import { verifyTpm } from "../tpm/verify.ts";
import { assuranceOf, isAuthenticityOnly } from "./assurance.ts";
import { CheckRecorder } from "../checks/check.ts";
import type { VerifierCrypto } from "../checks/crypto.ts";
import type { AppraisalPolicy } from "./policy.ts";
import type { EvidencePlatform } from "./requirements.ts";
import { evidenceBytes } from "./evidence-text.ts";
import { looksLikeEvidenceFile, partsOfEvidenceFile, type EvidenceFiles } from "./from-evidence-file.ts";
import { checkImage, type ImageMatcher } from "./image.ts";
import { checkEarlierEvidence, earlierClockOf } from "./earlier-evidence.ts";
import { azureEvidenceOf, tpmEvidenceOf, type EndorsedParts } from "../evidence/parts.ts";
import { unmet } from "./requirements.ts";
import type { EvidenceVerdict, VerifiedEvidence } from "./verdict.ts";
import type { EvidenceResult } from "../checks/result.ts";

/** What a relying party expects of evidence beyond its policy. */
export interface EvidenceExpectations {
  /** The 64 bytes the evidence was to carry; another verifier's nonce may be shorter on a TPM. */
  readonly reportData?: Uint8Array;
  /** Accepted measurements, hex. */
  readonly measurements?: readonly string[];
  /** Digest of the launch document, of the width the platform carries: 32 bytes, 48 on TDX. */
  readonly launchDigest?: Uint8Array;
  /** Says whether registers are those of an accepted image. Replaces `measurements`. */
  readonly image?: ImageMatcher;
  /** Earlier evidence of the same machine, verified under {@link earlierEvidencePolicy}: a TPM's clock must not have gone back since. */
  readonly earlier?: EvidenceVerdict;
}

const MALFORMED: readonly (ErrorCode | undefined)[] = ["EVIDENCE_MALFORMED"];

/** The policy that evidence is appraised under, the expected values, and the time. */
export interface EvidenceTerms {
  readonly policy: AppraisalPolicy;
  readonly expected: EvidenceExpectations;
  readonly at: Date;
}

/** Verifies evidence files offline at a point in time. Never throws for what the evidence contains. */
export async function verifyEvidence(
  platform: EvidencePlatform,
  files: EvidenceFiles,
  terms: EvidenceTerms,
  crypto: VerifierCrypto,
): Promise<EvidenceVerdict> {
  return conclude(platform, await byFiles(platform, files, terms, crypto), terms);
}

/** As {@link verifyEvidence}, for evidence as an evidence file has it. `software-only` is no evidence and is not for here. */
export async function verifyEvidenceParts(
  evidence: EndorsedParts,
  terms: EvidenceTerms,
  crypto: VerifierCrypto,
): Promise<EvidenceVerdict> {
  return conclude(evidence.parts.provider, await byParts(evidence, terms, crypto), terms);
}

function conclude(
  platform: EvidencePlatform,
  { verified, checks }: EvidenceResult<VerifiedEvidence>,
  { policy, expected: { image, earlier }, at }: EvidenceTerms,
): EvidenceVerdict {
  const recorder = new CheckRecorder();
  const accepted = recorder.require("platform", policy.platforms.includes(platform), "EVIDENCE_POLICY_VIOLATION", {
    passed: `${platform} is accepted`,
    failed: `the policy accepts ${policy.platforms.join(", ")}`,
  });
  recorder.include(checks);
  const ofImage =
    verified !== null && image !== undefined && !isAuthenticityOnly(platform, policy)
      ? checkImage(recorder, verified, image)
      : false;
  if (verified !== null && earlier !== undefined) checkEarlierEvidence(recorder, verified, earlier);
  const required = ofImage ? policy.required.filter((name) => name !== "measurement") : policy.required;
  for (const { requirement, why } of verified === null ? [] : unmet(platform, required, checks))
    recorder.fail(`required: ${requirement.replaceAll("_", " ")}`, "EVIDENCE_POLICY_VIOLATION", why);
  const outcome =
    accepted && verified !== null && recorder.clean
      ? "verified"
      : verified === null && recorder.checks.some(({ status, code }) => status === "failed" && MALFORMED.includes(code))
        ? "malformed"
        : "rejected";
  return {
    platform,
    outcome,
    assurance: outcome === "verified" ? assuranceOf(platform, policy) : "none",
    at,
    verified,
    checks: recorder.checks,
  };
}

async function byParts(
  { parts, collateral }: EndorsedParts,
  { policy, expected: expectations, at }: EvidenceTerms,
  crypto: VerifierCrypto,
): Promise<EvidenceResult<VerifiedEvidence>> {
  const expected = { ...expectations, ...earlierClockOf(expectations.earlier) };
  switch (parts.provider) {
    case "sev-snp":
      return await verifySevSnp(
        { report: parts.report, certificates: parts.certificates, revocationLists: collateral, ...expected },
        policy.sev_snp,
        at,
        crypto,
      );
    case "tdx":
      return await verifyTdx(
        {
          quote: parts.quote,
          collateral,
          ...(parts.eventLog === null ? {} : { eventLog: parts.eventLog }),
          ...expected,
        },
        policy.tdx,
        at,
        crypto,
      );
    case "tpm":
      return await verifyTpm(
        { evidence: tpmEvidenceOf(parts.tpm), revocationLists: collateral, ...expected },
        policy.tpm,
        at,
        crypto,
      );
    case "azure-cvm":
      return await verifyAzureCvm(
        {
          evidence: azureEvidenceOf(parts),
          ...(parts.tdQuote === null ? { revocationLists: collateral } : { collateral }),
          ...expected,
        },
        policy.azure_cvm,
        at,
        crypto,
      );
  }
}

/** Reads a document that may be unreadable; what it throws becomes the one check of the result. */
async function reading<T>(
  read: () => T,
  verify: (evidence: T) => Promise<EvidenceResult<VerifiedEvidence>>,
): Promise<EvidenceResult<VerifiedEvidence>> {
  let evidence: T;
  try {
    evidence = read();
  } catch (thrown) {
    const { code, message } = asCmcpError(thrown, "EVIDENCE_MALFORMED", "the evidence cannot be read");
    return { verified: null, checks: [{ name: "evidence format", status: "failed", code, why: message }] };
  }
  return await verify(evidence);
}

async function byFiles(
  platform: EvidencePlatform,
  files: EvidenceFiles,
  terms: EvidenceTerms,
  crypto: VerifierCrypto,
): Promise<EvidenceResult<VerifiedEvidence>> {
  const { policy, expected: expectations, at } = terms;
  const expected = { ...expectations, ...earlierClockOf(expectations.earlier) };
  if (looksLikeEvidenceFile(files.evidence))
    return await reading(
      () => partsOfEvidenceFile(platform, files),
      (endorsed) => byParts(endorsed, terms, crypto),
    );
  const { evidence, certificates, collateral, eventLog } = files;
  const log = eventLog === undefined ? {} : { eventLog };
  switch (platform) {
    case "sev-snp": {
      const { report, certificates: ownCertificates } = splitExtendedReport(evidenceBytes(platform, evidence));
      return await verifySevSnp(
        { report, certificates: [...ownCertificates, ...certificates], revocationLists: collateral, ...expected },
        policy.sev_snp,
        at,
        crypto,
      );
    }
    case "tdx":
      return await verifyTdx(
        { quote: evidenceBytes(platform, evidence), collateral: [...collateral, ...certificates], ...log, ...expected },
        policy.tdx,
        at,
        crypto,
      );
    case "tpm":
      return await reading(
        () => ({ ...readTpmEvidence(evidenceBytes(platform, evidence), certificates), ...log }),
        (read) => verifyTpm({ evidence: read, revocationLists: collateral, ...expected }, policy.tpm, at, crypto),
      );
    case "azure-cvm":
      return await reading(
        () => ({ ...readAzureCvmEvidence(evidenceBytes(platform, evidence), certificates), ...log }),
        (read) =>
          verifyAzureCvm(
            {
              evidence: read,
              ...(read.tdQuote === undefined ? { revocationLists: collateral } : { collateral }),
              ...expected,
            },
            policy.azure_cvm,
            at,
            crypto,
          ),
      );
  }
}
