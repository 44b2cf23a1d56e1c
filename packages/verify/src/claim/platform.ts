import {
  verifyEvidenceParts,
  type Assurance,
  type EndorsedParts,
  type EvidenceVerdict,
  type HardwareParts,
  type VerifiedEvidence,
} from "@cmcp/appraise";
import { fromHex, toHex } from "@cmcp/boundary";
import type { VerifierCrypto } from "../crypto.ts";
import type { Expectations } from "../expectations.ts";
import { checkReportDataOfFile, reportDataOf } from "./binding.ts";
import type { Checklist } from "../checklist.ts";
import type { ClaimContext } from "./context.ts";
import { verifyEarlierEvidence, type ClaimEvidenceFiles } from "./evidence.ts";
import { checkRootEntry } from "./root-entry.ts";

/** What appraising evidence takes of a verification. */
interface AppraisalContext {
  readonly crypto: VerifierCrypto;
  readonly expected: Pick<Expectations, "now" | "appraisal" | "launch" | "launchDigest" | "measurements" | "image">;
  readonly list: Checklist;
}

/** What the evidence of a platform is worth, once it is verified. */
export type PlatformAssurance = Assurance | "functional only";

/**
 * The evidence of a hardware platform: appraised, and held to the claim's own key and chain and to the expected launch.
 * @returns what the evidence is worth if every check holds
 */
export async function checkHardware(context: ClaimContext, evidence: ClaimEvidenceFiles): Promise<Assurance> {
  const { crypto, claim, expected, list } = context;
  const { runtime } = claim.trace;
  await checkRootEntry(context, evidence.file);
  await checkReportDataOfFile(crypto, claim, evidence.file, list);
  return await appraiseEvidence(context, evidence, {
    what: "claim",
    measurement: runtime.measurement,
    reportData: await reportDataOf(crypto, claim),
    ...(await verifyEarlierEvidence(crypto, evidence, expected)),
  });
}

/** What evidence is held to: who names it, which measurement that names, and which bytes it commits to. */
interface Carried {
  readonly what: "claim" | "report";
  readonly measurement: string;
  readonly reportData: Uint8Array;
  readonly earlier?: EvidenceVerdict;
}

/**
 * Appraises evidence, and holds it to what a claim or an instance's report says of it, and to the expected launch.
 * @returns what the evidence is worth if every check holds
 */
export async function appraiseEvidence(
  { crypto, expected, list }: AppraisalContext,
  evidence: EndorsedParts,
  { what, measurement, ...carried }: Carried,
): Promise<Assurance> {
  const { appraisal, measurements, image, now } = expected;
  const launchDigest = await launchDigestFor(crypto, evidence.parts.provider, expected);
  // Report data and launch document are what tie evidence to this key and this configuration: no policy waives them.
  const policy = {
    ...appraisal,
    required: [...new Set([...appraisal.required, "report_data" as const, "launch" as const])],
  };
  const terms = {
    ...carried,
    ...(launchDigest === null ? {} : { launchDigest }),
    ...(measurements === undefined ? {} : { measurements }),
    ...(image === undefined ? {} : { image }),
  };
  const verdict = await verifyEvidenceParts(evidence, { policy, expected: terms, at: now }, crypto);
  list.include(verdict.checks);
  if (verdict.verified !== null)
    list.require(
      `measurement in ${what}`,
      measurementNamed(verdict.verified) === measurement,
      "EVIDENCE_MEASUREMENT_MISMATCH",
      {
        passed: `the ${what} names the verified measurement`,
        failed: `the ${what} names another measurement than the evidence has`,
      },
    );
  return verdict.assurance;
}

/** The launch document's digest as the platform carries it; TDX's register is wider than a SHA-256. */
async function launchDigestFor(
  crypto: VerifierCrypto,
  provider: HardwareParts["provider"],
  { launch, launchDigest }: Pick<Expectations, "launch" | "launchDigest">,
): Promise<Uint8Array | null> {
  const width = provider === "tdx" ? 48 : 32;
  if (launch !== undefined)
    return new Uint8Array(
      await crypto.subtle.digest(provider === "tdx" ? "SHA-384" : "SHA-256", Uint8Array.from(launch.document)),
    );
  const bytes = launchDigest === undefined ? undefined : fromHex(launchDigest);
  return bytes?.length === width ? bytes : null;
}

/** How a claim names the measurement of its platform. */
function measurementNamed(verified: VerifiedEvidence): string {
  switch (verified.platform) {
    case "sev-snp":
      return `sha384:${toHex(verified.measurement)}`;
    case "intel-tdx":
      return `sha384:${toHex(verified.mrTd)}`;
    case "tpm2":
      return `sha256:${toHex(verified.measurement)}`;
    case "azure-cvm": {
      const { paravisor } = verified;
      return `sha384:${toHex(paravisor.kind === "sev-snp" ? paravisor.report.measurement : paravisor.quote.mrTd)}`;
    }
  }
}
