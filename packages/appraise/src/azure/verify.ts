import { asCmcpError, bytesEqual, toHex } from "@cmcp/boundary";
import { CheckRecorder, type Check } from "../checks/check.ts";
import type { Checking } from "../checks/checking.ts";
import type { VerifierCrypto } from "../checks/crypto.ts";
import type { EvidenceResult } from "../checks/result.ts";
import { hash } from "../event-log/hash-algorithm.ts";
import { verifySevSnp, type VerifiedSnpReport } from "../sev-snp/verify.ts";
import { STRICT_TDX_POLICY } from "../tdx/policy.ts";
import { verifyTdx, type VerifiedTdxQuote } from "../tdx/verify.ts";
import { appraiseQuote, type QuoteExpectations, type QuoteFindings } from "../tpm/appraise-quote.ts";
import { parseTpmQuote, type ClockInfo, type TpmQuote } from "../tpm/quote.ts";
import { checkRestrictions } from "../tpm/attestation-key.ts";
import type { PublicArea } from "../tpm/public-area.ts";
import { parseAttestationKey } from "../tpm/public-key.ts";
import { checkQuoteSignature } from "../tpm/quote-signature.ts";
import type { AzureCvmEvidence } from "./evidence.ts";
import { parseHclReport, type HclReport } from "./hcl-report.ts";
import type { AzureCvmPolicy } from "./policy.ts";
import { parseRuntimeData, type RuntimeData } from "./runtime-data.ts";

/** Azure evidence and what it has to show. Its sender chooses every byte. */
export interface AzureCvmInput extends QuoteExpectations {
  readonly evidence: AzureCvmEvidence;
  /** AMD's revocation lists, DER or PEM. */
  readonly revocationLists?: readonly Uint8Array[];
  /** Intel's collateral, in any form the TDX verifier takes. */
  readonly collateral?: readonly Uint8Array[];
}

declare const verified: unique symbol;

/** The part that hardware evidence proves: the paravisor. */
export type VerifiedParavisor =
  | { readonly kind: "sev-snp"; readonly report: VerifiedSnpReport }
  | { readonly kind: "tdx"; readonly quote: VerifiedTdxQuote };

/** Evidence whose whole chain holds. Only {@link verifyAzureCvm} makes one. */
export interface VerifiedAzureCvm extends QuoteFindings {
  readonly [verified]: true;
  readonly platform: "azure-cvm";
  /** The chain is longer than bare hardware's: the processor measures the paravisor, the paravisor's TPM the image. */
  readonly assurance: "hardware for the paravisor; the image by the word of the paravisor's virtual TPM";
  readonly paravisor: VerifiedParavisor;
  /** Digest over the quoted registers of the virtual TPM, as it was signed. */
  readonly measurement: Uint8Array;
  readonly qualifyingData: Uint8Array;
  readonly clockInfo: ClockInfo;
  /** SHA-256 of the attestation key's SubjectPublicKeyInfo, hex. */
  readonly attestationKeySha256: string;
  /** What the guest asked the paravisor to put into its report, hex. */
  readonly userData: string;
}

/** Hex digits of a hardware measurement; a digest over registers has fewer. */
const HARDWARE_MEASUREMENT_DIGITS = 96;

/**
 * Verifies the evidence of an Azure confidential VM at a point in time. First come the paravisor's hardware report,
 * its binding to the runtime data, the attestation key in that, and the key's quote. Registers and log follow, as the
 * policy asks. The checks of the hardware report have names that begin with `paravisor`. Never throws for anything in
 * the evidence.
 *
 * Expected measurements of 48 bytes are of the paravisor, shorter ones of the registers.
 */
export async function verifyAzureCvm(
  input: AzureCvmInput,
  policy: AzureCvmPolicy,
  at: Date,
  crypto: VerifierCrypto,
): Promise<EvidenceResult<VerifiedAzureCvm>> {
  const recorder = new CheckRecorder();
  const authentic = await authenticate({ crypto, recorder }, input, policy, at);
  if (authentic === null) {
    recorder.notPerformed("appraisal", "nothing in a quote that is not authentic means anything");
    return { verified: null, checks: recorder.checks };
  }
  const { quote, signature, ...facts } = authentic;
  const fixed = { ...facts, measurement: quote.pcrDigest, qualifyingData: quote.extraData, clockInfo: quote.clockInfo };
  const measurements = (input.measurements ?? []).filter(({ length }) => length !== HARDWARE_MEASUREMENT_DIGITS);
  const appraisal = new CheckRecorder();
  const shown = await appraiseQuote(
    { crypto, recorder: appraisal },
    { quote, signature, evidence: input.evidence },
    policy.vtpm,
    { ...input, measurements },
  );
  if (policy.authenticity_only)
    for (const { name } of appraisal.checks) recorder.notPerformed(name, "authenticity only");
  else recorder.include(appraisal.checks);
  return {
    verified: brand({ ...fixed, ...(policy.authenticity_only ? { registers: null, logged: null } : shown) }),
    checks: recorder.checks,
  };
}

function brand(facts: Omit<VerifiedAzureCvm, typeof verified | "platform" | "assurance">): VerifiedAzureCvm {
  return {
    platform: "azure-cvm",
    assurance: "hardware for the paravisor; the image by the word of the paravisor's virtual TPM",
    ...facts,
  } as VerifiedAzureCvm;
}

/** Processor → paravisor's report → runtime data → attestation key → quote. `null` when a link does not hold. */
async function authenticate(checking: Checking, input: AzureCvmInput, policy: AzureCvmPolicy, at: Date) {
  const { crypto, recorder } = checking;
  const { evidence } = input;
  const hcl = recorder.attempt("HCL report format", "EVIDENCE_MALFORMED", "a paravisor's report", () =>
    readHclReport(evidence.paravisor),
  );
  if (hcl === null) return null;
  const paravisor = await verifyHardware(checking, hcl, input, { policy, at });
  if (paravisor === null) return null;
  const bound = await checkBinding(crypto, recorder, paravisor, hcl);
  const runtime = readKey(recorder, hcl.runtimeData, evidence.attestationKey);
  const quote = readQuote(recorder, evidence.quote);
  if (!bound || runtime === null || quote === null) return null;
  const signature = await checkQuoteSignature(checking, quote, evidence.signature, {
    key: runtime.attestationKey,
    area: runtime.area,
  });
  if (signature === null) return null;
  return {
    paravisor,
    quote,
    signature,
    userData: runtime.userData,
    attestationKeySha256: toHex(await hash(crypto, "sha256", runtime.attestationKey.spki)),
  };
}

function readQuote(recorder: CheckRecorder, bytes: Uint8Array | undefined): TpmQuote | null {
  if (bytes !== undefined)
    return recorder.attempt("quote format", "EVIDENCE_MALFORMED", "a TPM 2.0 quote", () =>
      parseTpmQuote(Uint8Array.from(bytes)),
    );
  recorder.fail(
    "quote signature",
    "EVIDENCE_SIGNATURE_INVALID",
    "the quote of the virtual TPM was not given: nothing is said of the image",
  );
  return null;
}

function readHclReport(paravisor: AzureCvmEvidence["paravisor"]): HclReport {
  if ("hclReport" in paravisor) return parseHclReport(Uint8Array.from(paravisor.hclReport));
  return {
    kind: "sev-snp",
    hardwareReport: Uint8Array.from(paravisor.snpReport),
    runtimeHash: "SHA-256",
    runtimeData: Uint8Array.from(paravisor.runtimeData),
  };
}

async function verifyHardware(
  { crypto, recorder }: Checking,
  hcl: HclReport,
  { evidence, revocationLists, collateral, measurements }: AzureCvmInput,
  { policy, at }: { readonly policy: AzureCvmPolicy; readonly at: Date },
): Promise<VerifiedParavisor | null> {
  const expected = (measurements ?? []).filter(({ length }) => length === HARDWARE_MEASUREMENT_DIGITS);
  const expectations = {
    reportData: await boundReportData(crypto, hcl),
    ...(expected.length === 0 ? {} : { measurements: expected }),
  };
  if (hcl.kind === "sev-snp") {
    const lists = revocationLists === undefined ? {} : { revocationLists };
    const snp = await verifySevSnp(
      { report: hcl.hardwareReport, certificates: evidence.certificates, ...lists, ...expectations },
      { ...policy.sev_snp, authenticity_only: policy.authenticity_only || policy.sev_snp.authenticity_only },
      at,
      crypto,
    );
    recorder.include(snp.checks.map(prefixed));
    return snp.verified === null ? null : { kind: "sev-snp", report: snp.verified };
  }
  if (evidence.tdQuote === undefined) {
    recorder.fail(
      "paravisor quote",
      "EVIDENCE_SIGNATURE_INVALID",
      "a TDREPORT is not signed, and the quote over it was not given",
    );
    return null;
  }
  const optional = collateral === undefined ? {} : { collateral };
  const tdx = await verifyTdx(
    { quote: evidence.tdQuote, ...optional, ...expectations },
    {
      ...policy.tdx,
      event_log: STRICT_TDX_POLICY.event_log,
      authenticity_only: policy.authenticity_only || policy.tdx.authenticity_only,
    },
    at,
    crypto,
  );
  recorder.include(tdx.checks.map(prefixed));
  return tdx.verified === null ? null : { kind: "tdx", quote: tdx.verified };
}

/** Checks whose subject on Azure is the virtual TPM, which has its own of the same name. */
const OF_THE_VIRTUAL_TPM: readonly string[] = ["launch digest", "launch document", "event log"];

function prefixed({ name, status, why, ...rest }: Check): Check {
  if (status === "not-performed" && OF_THE_VIRTUAL_TPM.includes(name))
    return { name: `paravisor ${name}`, status: "not-applicable", why: "the virtual TPM carries it" };
  return { name: `paravisor ${name}`, status, why, ...rest };
}

/** What the paravisor has the hardware report: the digest of the runtime data, and zeros up to 64 bytes. */
async function boundReportData(crypto: VerifierCrypto, { runtimeHash, runtimeData }: HclReport): Promise<Uint8Array> {
  const reportData = new Uint8Array(64);
  reportData.set(new Uint8Array(await crypto.subtle.digest(runtimeHash, Uint8Array.from(runtimeData))));
  return reportData;
}

async function checkBinding(
  crypto: VerifierCrypto,
  recorder: CheckRecorder,
  paravisor: VerifiedParavisor,
  hcl: HclReport,
): Promise<boolean> {
  const reportData = paravisor.kind === "sev-snp" ? paravisor.report.reportData : paravisor.quote.reportData;
  const holds = bytesEqual(reportData, await boundReportData(crypto, hcl));
  return recorder.require("runtime data binding", holds, "EVIDENCE_REPORT_DATA_MISMATCH", {
    passed: `the hardware's report data is the ${hcl.runtimeHash} of the runtime data`,
    failed: `the hardware's report data is not the ${hcl.runtimeHash} of the runtime data followed by zeros`,
  });
}

interface NamedKey extends RuntimeData {
  /** The TPM's own description of the key, where it was given. */
  readonly area: PublicArea | null;
}

function readKey(
  recorder: CheckRecorder,
  runtimeData: Uint8Array,
  publicArea: Uint8Array | undefined,
): NamedKey | null {
  const check = "attestation key binding";
  try {
    const runtime = parseRuntimeData(runtimeData);
    const described = publicArea === undefined ? null : parseAttestationKey(publicArea);
    const same = described === null || bytesEqual(described.key.spki, runtime.attestationKey.spki);
    if (
      !recorder.require(check, same, "EVIDENCE_CHAIN_INVALID", {
        passed: "HCLAkPub of the runtime data",
        failed: "the key given beside the runtime data is another than HCLAkPub",
      })
    )
      return null;
    const area = described?.area ?? null;
    checkRestrictions(recorder, area);
    return { ...runtime, area };
  } catch (thrown) {
    const { code, message } = asCmcpError(thrown, "EVIDENCE_MALFORMED", "the key cannot be read");
    recorder.fail(check, code, message);
    return null;
  }
}
