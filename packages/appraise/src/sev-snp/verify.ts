import { CheckRecorder } from "../checks/check.ts";
import type { Checking } from "../checks/checking.ts";
import { sha256Hex, type VerifierCrypto } from "../checks/crypto.ts";
import type { EvidenceResult } from "../checks/result.ts";
import { bytesEqual, isZero } from "@cmcp/boundary";
import type { Certificate } from "../x509/certificate.ts";
import { checkChain } from "../x509/chain.ts";
import { RevocationList } from "../x509/revocation-list.ts";
import { appraiseGuest, appraisePlatform } from "./appraise/guest.ts";
import { appraiseIdBlock, appraiseMachine } from "./appraise/identity.ts";
import { appraiseLaunch, type SnpExpectations } from "./appraise/launch.ts";
import { appraiseTcb } from "./appraise/tcb.ts";
import { amdCertificates, readCertificates } from "./certificates.ts";
import { endorsementKeyKind, readEndorsementKey, signingKeyName, type EndorsementKey } from "./endorsement-key.ts";
import type { SevSnpPolicy } from "./policy.ts";
import { chipIdBytes, productOfCpuid, type Product } from "./product.ts";
import { parseSnpReport, readKeyInfo, type ParsedSnpReport } from "./report.ts";
import { readSignature, verifyReportSignature } from "./signature.ts";
import { readTcb, tcbEqual, tcbText } from "./tcb.ts";
import type { VerifiedSnpReport } from "./verified-report.ts";

export type { SnpExpectations } from "./appraise/launch.ts";
export type { VerifiedSnpReport } from "./verified-report.ts";

/** A report and what travels with it, all of it chosen by whoever sent it, and what the relying party expects. */
export interface SnpInput extends SnpExpectations {
  /** 1184 bytes, or the kernel's 4000-byte response around them. */
  readonly report: Uint8Array;
  /** DER, PEM or a host's certificate table; the endorsement key's certificate is enough. */
  readonly certificates: readonly Uint8Array[];
  /** AMD's revocation lists, DER or PEM. */
  readonly revocationLists?: readonly Uint8Array[];
}

/** Revocation lists and endorsement keys' certificates looked at. */
const MAX_LISTS = 8;
const MAX_ENDORSEMENT_KEYS = 4;

/**
 * Verifies an SEV-SNP attestation report (AMD 56860) offline: form, signature, endorsement key, certificates up to a
 * pinned AMD root, then what the policy asks. Never throws for what the input contains.
 *
 * @param at the time of verification; certificates and lists have to be valid at it.
 */
export async function verifySevSnp(
  input: SnpInput,
  policy: SevSnpPolicy,
  at: Date,
  crypto: VerifierCrypto,
): Promise<EvidenceResult<VerifiedSnpReport>> {
  const recorder = new CheckRecorder();
  const verified = await authenticate({ crypto, recorder }, input, policy, at);
  if (verified === null) {
    recorder.notPerformed("appraisal", "nothing in the report is known to be true");
    return { verified, checks: recorder.checks };
  }
  const appraisal = new CheckRecorder();
  appraiseMachine(appraisal, verified, policy);
  appraiseGuest(appraisal, verified, policy);
  appraisePlatform(appraisal, verified, policy);
  appraiseTcb(appraisal, verified, policy);
  appraiseIdBlock(appraisal, verified, policy);
  appraiseLaunch(appraisal, verified, policy, input);
  if (policy.authenticity_only)
    for (const { name } of appraisal.checks) recorder.notPerformed(name, "authenticity only");
  else recorder.include(appraisal.checks);
  return { verified, checks: recorder.checks };
}

async function authenticate(
  checking: Checking,
  input: SnpInput,
  policy: SevSnpPolicy,
  at: Date,
): Promise<VerifiedSnpReport | null> {
  const { crypto, recorder } = checking;
  const parsed = recorder.attempt("report form", "EVIDENCE_MALFORMED", "a report of a known version", () =>
    parseSnpReport(input.report),
  );
  const supplied = recorder.attempt(
    "certificate form",
    "EVIDENCE_MALFORMED",
    "every certificate given is readable",
    () => readCertificates(input.certificates),
  );
  const lists = readLists(recorder, input.revocationLists ?? []);
  if (parsed === null || supplied === null || lists === null) return null;
  const signature = signatureOf(recorder, parsed);
  const leaf = selectKey(recorder, parsed, supplied, policy);
  if (signature === null || leaf === null) return null;
  const signer = await signingCertificate(checking, parsed, leaf, signature);
  const endorsement = recorder.attempt("endorsement key", "EVIDENCE_MALFORMED", "AMD's extensions are complete", () =>
    readEndorsementKey(signer.certificate),
  );
  const anchors = policy.trust_anchors.map(({ product, certificate_sha256 }) => ({
    name: `ARK-${product}`,
    certificateSha256: certificate_sha256,
  }));
  const path = await checkChain(crypto, recorder, {
    name: leaf.kind,
    leaf: signer.certificate,
    intermediates: [...supplied, ...amdCertificates()],
    anchors,
    at,
    lists,
    staleLists: policy.stale_lists,
    listedBy: "root",
  });
  if (!signer.verifies || endorsement === null || path === null) return null;
  const product = await productOf(checking, parsed, { endorsement, path }, policy);
  if (product === null || !endorses(recorder, parsed, endorsement, product)) return null;
  return verifiedReport(parsed, endorsement, product);
}

function readLists(recorder: CheckRecorder, inputs: readonly Uint8Array[]): RevocationList[] | null {
  if (inputs.length === 0) return [];
  if (inputs.length > MAX_LISTS) {
    recorder.fail(
      "revocation list form",
      "EVIDENCE_COLLATERAL_INVALID",
      `${inputs.length} revocation lists, limit ${MAX_LISTS}`,
    );
    return null;
  }
  return recorder.attempt(
    "revocation list form",
    "EVIDENCE_COLLATERAL_INVALID",
    "every revocation list given is readable",
    () => inputs.map((bytes) => RevocationList.parse(bytes)),
  );
}

function signatureOf(recorder: CheckRecorder, parsed: ParsedSnpReport): Uint8Array | null {
  const signature = readSignature(parsed);
  const problem = "problem" in signature ? signature.problem : "";
  recorder.require("signature form", !("problem" in signature), "EVIDENCE_SIGNATURE_INVALID", {
    passed: "ECDSA P-384 with SHA-384",
    failed: problem,
  });
  return "problem" in signature ? null : signature;
}

interface Candidates {
  readonly kind: "VCEK" | "VLEK";
  readonly certificates: readonly [Certificate, ...Certificate[]];
}

/** The certificates that can be of the key the report names as its signer. */
function selectKey(
  recorder: CheckRecorder,
  { unverified }: ParsedSnpReport,
  supplied: readonly Certificate[],
  policy: SevSnpPolicy,
): Candidates | null {
  const { signer, maskChipKey } = readKeyInfo(unverified.keyInfo);
  const signs = (signer === "VCEK" || signer === "VLEK") && !maskChipKey;
  recorder.require("signing key", signs, "EVIDENCE_SIGNATURE_INVALID", {
    passed: `the report names a ${signer}`,
    failed: maskChipKey
      ? "the report says that the chip's key is masked"
      : "the report names no key that could have signed it",
  });
  if ((signer !== "VCEK" && signer !== "VLEK") || !signs) return null;
  const [first, ...others] = supplied.filter((certificate) => endorsementKeyKind(certificate) === signer);
  if (first !== undefined && others.length < MAX_ENDORSEMENT_KEYS)
    return { kind: signer, certificates: [first, ...others] };
  recorder.fail(
    `${signer} chain`,
    "EVIDENCE_CHAIN_INVALID",
    first === undefined
      ? `no ${signer} certificate was given`
      : `more than ${MAX_ENDORSEMENT_KEYS} ${signer} certificates`,
  );
  // Such a report can have no matching certificate, so the reason is reported here.
  if (
    signer === "VCEK" &&
    isZero(unverified.chipId) &&
    policy.chips.masked === "forbidden" &&
    !policy.authenticity_only
  )
    recorder.fail("chip", "EVIDENCE_POLICY_VIOLATION", "CHIP_ID is masked or was removed");
  return null;
}

/** The certificate whose key made the signature; when none did, the first. */
async function signingCertificate(
  { crypto, recorder }: Checking,
  { signed }: ParsedSnpReport,
  { kind, certificates }: Candidates,
  signature: Uint8Array,
): Promise<{ readonly certificate: Certificate; readonly verifies: boolean }> {
  for (const certificate of certificates) {
    if (!(await verifyReportSignature(crypto, certificate.spki, signed, signature))) continue;
    recorder.require("signature", true, "EVIDENCE_SIGNATURE_INVALID", {
      passed: `made by the ${kind} over all signed bytes`,
      failed: "",
    });
    return { certificate, verifies: true };
  }
  recorder.fail("signature", "EVIDENCE_SIGNATURE_INVALID", `the ${kind} given did not sign these bytes`);
  return { certificate: certificates[0], verifies: false };
}

/** A signing key, with its certificates up to a pinned root. */
interface EndorsementPath {
  readonly endorsement: EndorsementKey;
  readonly path: readonly Certificate[];
}

/** The product the pinned root is of, when signing key, certificate and processor are of it too. */
async function productOf(
  { crypto, recorder }: Checking,
  { unverified }: ParsedSnpReport,
  { endorsement: { kind, product, productName }, path }: EndorsementPath,
  policy: SevSnpPolicy,
): Promise<Product | null> {
  const [, signingKey, root] = path;
  const rootHash = root && (await sha256Hex(crypto, root.raw));
  const rightRoot = policy.trust_anchors.some(
    (anchor) => anchor.certificate_sha256 === rootHash && anchor.product === product,
  );
  const rightChain = rightRoot && signingKey?.commonName === signingKeyName(kind, product);
  const processor = unverified.cpuid === null ? product : productOfCpuid(unverified.cpuid);
  const holds = rightChain && processor === product;
  recorder.require("product", holds, "EVIDENCE_CHAIN_INVALID", {
    passed: `${productName} in certificate${unverified.cpuid === null ? " and chain" : ", chain and processor"}`,
    failed: rightChain
      ? `the certificate is for ${productName}, the processor is ${processor ?? "not known"}`
      : `the chain is not the one of a ${kind} for ${productName}`,
  });
  return holds ? product : null;
}

/** Whether the key is the one for this chip at this TCB: AMD derives a VCEK from both. */
function endorses(
  recorder: CheckRecorder,
  { unverified }: ParsedSnpReport,
  { kind, tcb, hwId }: EndorsementKey,
  product: Product,
): boolean {
  const reported = readTcb(unverified.reportedTcb, product);
  const sameTcb = recorder.require("endorsed TCB", tcbEqual(tcb, reported), "EVIDENCE_CHAIN_INVALID", {
    passed: `the ${kind} is for ${tcbText(tcb)}`,
    failed: `the ${kind} is for ${tcbText(tcb)}, the report says ${tcbText(reported)}`,
  });
  if (hwId === undefined) {
    recorder.notApplicable("endorsed chip", "a VLEK is of no particular chip");
    return sameTcb;
  }
  if (isZero(unverified.chipId)) {
    recorder.notPerformed("endorsed chip", "CHIP_ID is masked, so it cannot be compared with the certificate");
    return sameTcb;
  }
  const used = chipIdBytes(product);
  const sameChip = bytesEqual(hwId, unverified.chipId.subarray(0, used)) && isZero(unverified.chipId.subarray(used));
  return (
    recorder.require("endorsed chip", sameChip, "EVIDENCE_CHAIN_INVALID", {
      passed: "the VCEK is of the chip the report names",
      failed: "the VCEK is of another chip than the report names",
    }) && sameTcb
  );
}

function verifiedReport(
  { unverified }: ParsedSnpReport,
  endorsementKey: EndorsementKey,
  product: Product,
): VerifiedSnpReport {
  const { keyInfo, currentTcb, reportedTcb, committedTcb, launchTcb, ...fields } = unverified;
  return {
    ...fields,
    platform: "sev-snp",
    product,
    endorsementKey,
    keyInfo: readKeyInfo(keyInfo),
    currentTcb: readTcb(currentTcb, product),
    reportedTcb: readTcb(reportedTcb, product),
    committedTcb: readTcb(committedTcb, product),
    launchTcb: readTcb(launchTcb, product),
  } as VerifiedSnpReport;
}
