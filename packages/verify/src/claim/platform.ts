import { verifyEvidenceParts, verifySoftware, type Assurance, type EvidenceFile, type HardwareParts, type VerifiedEvidence } from "@cmcp/attestation/verify";
import { auditEntrySchema, entryHashInput, rootDetailSchema } from "@cmcp/audit/schema";
import { fromHex, toHex } from "@cmcp/boundary";
import { sessionBindingInput, thumbprintInput } from "@cmcp/attestation/binding";
import { parseFirmwareText, type Claim } from "@cmcp/claim/schema";
import type { Checklist } from "../checklist.ts";
import { sha256, sha256Hex, type VerifierCrypto } from "../crypto.ts";
import type { Expectations } from "../expectations.ts";
import { verifyEarlier, type GivenEvidence } from "./evidence.ts";

/** What the evidence of a platform is worth, once it is verified. */
export type PlatformAssurance = Assurance | "functional only";

/** A claim of software-only has no evidence and is accepted only when told to. */
export function checkSoftware(claim: Claim, expected: Expectations, list: Checklist): void {
  const { runtime } = claim.trace;
  const firmware = parseFirmwareText(runtime.firmware_version);
  const report = firmware === undefined ? { why: "the firmware text has not the documented form" } : verifySoftware({ measurement: runtime.measurement, firmware: firmware.firmware, hasEvidence: claim.gateway.attestation_evidence !== undefined });
  if ("why" in report) {
    list.fail("platform evidence", "PUBLIC_KEY_NOT_BOUND", report.why);
    return;
  }
  list.notApplicable("platform evidence", "software-only: there is no hardware evidence, so nothing shows where the key lives");
  list.require("software-only accepted", expected.allowSoftwareOnly, "SOFTWARE_ONLY_NOT_ACCEPTED", "explicitly accepted for this verification", "a claim without hardware evidence is not accepted unless asked for");
}

/**
 * The evidence of any other platform: appraised, and held to the claim's own key and chain and to the expected launch.
 * @returns what the evidence is worth if every check holds
 */
export async function checkHardware(crypto: VerifierCrypto, claim: Claim, given: GivenEvidence, expected: Expectations, list: Checklist): Promise<Assurance> {
  const { runtime } = claim.trace;
  await checkRootEntry(crypto, claim, given.file, expected, list);
  const launchDigest = await launchDigestFor(crypto, given.parts.provider, expected);
  // Report data and launch document are what tie evidence to this claim and this configuration: no policy waives them.
  const policy = { ...expected.appraisal, required: [...new Set([...expected.appraisal.required, "report_data" as const, "launch" as const])] };
  const reportData = await reportDataOf(crypto, claim);
  list.require("report data in evidence file", toHex(given.file.claimedReportData) === toHex(reportData), "EVIDENCE_REPORT_DATA_MISMATCH", "the file says it was made for this claim's key and chain", "the file says it was made for another key or chain");
  const expectations = {
    reportData,
    ...(launchDigest === null ? {} : { launchDigest }),
    ...(expected.measurements === undefined ? {} : { measurements: expected.measurements }),
    ...(expected.image === undefined ? {} : { image: expected.image }),
    ...(await verifyEarlier(crypto, given, expected)),
  };
  const verdict = await verifyEvidenceParts(given, policy, expectations, expected.now, crypto);
  list.include(verdict.checks);
  if (verdict.verified !== null) list.require("measurement in claim", measurementNamed(verdict.verified) === runtime.measurement, "EVIDENCE_MEASUREMENT_MISMATCH", "the claim names the verified measurement", "the claim names another measurement than the evidence has");
  return verdict.assurance;
}

/** The 64 bytes that the claim's own key and chain give; neither claim nor evidence file is asked for them. */
async function reportDataOf(crypto: VerifierCrypto, claim: Claim): Promise<Uint8Array> {
  const bytes = new Uint8Array(64);
  bytes.set(await sha256(crypto, thumbprintInput(claim.trace.cnf.jwk)));
  bytes.set(await sha256(crypto, sessionBindingInput(claim.gateway.audit_chain.root)), 32);
  return bytes;
}

/** The launch document's digest as the platform carries it; TDX's register is wider than a SHA-256. */
async function launchDigestFor(crypto: VerifierCrypto, provider: HardwareParts["provider"], { launch, launchDigest }: Expectations): Promise<Uint8Array | null> {
  const width = provider === "tdx" ? 48 : 32;
  if (launch !== undefined) return new Uint8Array(await crypto.subtle.digest(provider === "tdx" ? "SHA-384" : "SHA-256", Uint8Array.from(launch.document)));
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

/** The root entry beside the evidence: it is the chain's root, and names the launch document, policy and catalog. */
async function checkRootEntry(crypto: VerifierCrypto, claim: Claim, { rootEntry }: EvidenceFile, { launch, launchDigest }: Expectations, list: Checklist): Promise<void> {
  if (rootEntry === null) {
    list.notPerformed("root entry in evidence", "the evidence file has no root entry");
    return;
  }
  const entry = auditEntrySchema.safeParse(rootEntry);
  const isRoot = entry.success && entry.data.entry_hash === claim.gateway.audit_chain.root && (await sha256Hex(crypto, entryHashInput(entry.data))) === entry.data.entry_hash;
  if (!list.require("root entry in evidence", isRoot, "CHAIN_ROOT_NOT_BOUND", "it hashes to the chain's root", "it is not the entry the chain begins with")) return;
  const detail = rootDetailSchema.safeParse(entry.data?.detail);
  const known = launch === undefined ? (launchDigest?.length === 64 ? launchDigest : null) : await sha256Hex(crypto, Uint8Array.from(launch.document));
  if (known === null) list.notPerformed("launch digest in root entry", "the launch document was not given");
  else list.require("launch digest in root entry", detail.success && detail.data.launch_digest === `sha256:${known}`, "EVIDENCE_LAUNCH_NOT_BOUND", "the session ran under the expected launch document", "the session ran under another launch document");
}
