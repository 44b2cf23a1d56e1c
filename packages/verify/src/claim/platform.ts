import { verifyEvidenceParts, type Assurance, type HardwareParts, type VerifiedEvidence } from "@cmcp/appraise";
import { fromHex, toHex } from "@cmcp/boundary";
import type { VerifierCrypto } from "../crypto.ts";
import type { Expectations } from "../expectations.ts";
import { checkReportDataOfFile, reportDataOf } from "./binding.ts";
import type { ClaimContext } from "./context.ts";
import { verifyEarlierEvidence, type ClaimEvidenceFiles } from "./evidence.ts";
import { checkRootEntry } from "./root-entry.ts";

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
  const launchDigest = await launchDigestFor(crypto, evidence.parts.provider, expected);
  // Report data and launch document are what tie evidence to this claim and this configuration: no policy waives them.
  const policy = {
    ...expected.appraisal,
    required: [...new Set([...expected.appraisal.required, "report_data" as const, "launch" as const])],
  };
  await checkReportDataOfFile(crypto, claim, evidence.file, list);
  const expectations = {
    reportData: await reportDataOf(crypto, claim),
    ...(launchDigest === null ? {} : { launchDigest }),
    ...(expected.measurements === undefined ? {} : { measurements: expected.measurements }),
    ...(expected.image === undefined ? {} : { image: expected.image }),
    ...(await verifyEarlierEvidence(crypto, evidence, expected)),
  };
  const verdict = await verifyEvidenceParts(evidence, { policy, expected: expectations, at: expected.now }, crypto);
  list.include(verdict.checks);
  if (verdict.verified !== null)
    list.require(
      "measurement in claim",
      measurementNamed(verdict.verified) === runtime.measurement,
      "EVIDENCE_MEASUREMENT_MISMATCH",
      {
        passed: "the claim names the verified measurement",
        failed: "the claim names another measurement than the evidence has",
      },
    );
  return verdict.assurance;
}

/** The launch document's digest as the platform carries it; TDX's register is wider than a SHA-256. */
async function launchDigestFor(
  crypto: VerifierCrypto,
  provider: HardwareParts["provider"],
  { launch, launchDigest }: Expectations,
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
