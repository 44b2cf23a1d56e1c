import { bytesEqual, CmcpError, isZero, toHex } from "@cmcp/boundary";
import type { CheckRecorder } from "../checks/check.ts";
import type { Checking } from "../checks/checking.ts";
import { sha256, type VerifierCrypto } from "../checks/crypto.ts";
import { checkChain } from "../x509/chain.ts";
import type { Certificate } from "../x509/certificate.ts";
import { parsePemCertificates } from "../x509/pem.ts";
import { INTEL_TD_QE_PRODUCT, sgxRootAnchors } from "./anchors.ts";
import type { TdxCollateral } from "./unverified-collateral.ts";
import { verifyP256 } from "./p256.ts";
import { pckPlatform, SGX_EXTENSION, type PckPlatform } from "./pck.ts";
import type { TdxPolicy } from "./policy.ts";
import { readQeReport, type QeReport } from "./qe-report.ts";
import { CERTIFICATION_PCK_CHAIN, type TdxQuote } from "./quote.ts";
import type { TdReport } from "./td-report.ts";

declare const authentic: unique symbol;

/** A quote whose signatures lead from the TD report to a pinned root. Only {@link authenticate} makes one. */
export interface AuthenticTdxQuote extends TdReport {
  readonly [authentic]: true;
  readonly platform: "intel-tdx";
  readonly quoteVersion: 4 | 5;
  readonly qe: QeReport;
  readonly pck: PckPlatform;
}

/** Certificates of a PCK chain in a quote; genuine ones have three. */
const MAX_PCK_CHAIN = 8;
/** SGX attribute DEBUG of an enclave (Intel SDM volume 3D, ATTRIBUTES). */
const ENCLAVE_DEBUG = 0x02;

/** The policy that a quote is appraised under, the expected values, and the time. */
export interface TdxTerms {
  readonly policy: TdxPolicy;
  readonly at: Date;
}

/**
 * Checks that a quote is authentic: attestation key over the TD report, quoting enclave's report over that key, PCK
 * over the quoting enclave's report, PCK chain to a pinned root (Intel TDX DCAP quote verification). Every step is
 * recorded, also after one failed.
 *
 * @returns `null` unless all of them hold. Expired or revoked certificates are failed checks, not `null`.
 */
export async function authenticate(
  checking: Checking,
  quote: TdxQuote,
  collateral: TdxCollateral,
  terms: TdxTerms,
): Promise<AuthenticTdxQuote | null> {
  const { crypto, recorder } = checking;
  const signed = await verifyP256(crypto, { point: quote.attestationKey }, quote.signature, quote.signed);
  const steps = [
    recorder.require("quote signature", signed, "EVIDENCE_SIGNATURE_INVALID", {
      passed: "the attestation key signed header and TD report",
      failed: "the attestation key did not sign these bytes",
    }),
  ];
  const qe = readQeReport(quote.qeReport);
  steps.push(await checkKeyBinding(crypto, recorder, quote, qe));
  const leaf = await checkPck(checking, quote, collateral, terms);
  steps.push(checkQuotingEnclave(recorder, qe, terms.policy));
  const pck =
    leaf === null
      ? null
      : recorder.attempt("PCK platform", "EVIDENCE_CHAIN_INVALID", "the PCK certificate names its platform", () =>
          platformOf(leaf),
        );
  if (pck === null || steps.includes(false)) return null;
  return { ...quote.claimed, platform: "intel-tdx", quoteVersion: quote.version, qe, pck } as AuthenticTdxQuote;
}

/** An authority of the same chain may sign certificates, not reports. */
function platformOf(leaf: Certificate): PckPlatform {
  if (leaf.isCa) throw new CmcpError("EVIDENCE_CHAIN_INVALID", "the PCK certificate is one of an authority");
  return pckPlatform(leaf);
}

async function checkKeyBinding(
  crypto: VerifierCrypto,
  recorder: CheckRecorder,
  quote: TdxQuote,
  qe: QeReport,
): Promise<boolean> {
  const bound = Uint8Array.of(...quote.attestationKey, ...quote.qeAuthenticationData);
  const digest = await sha256(crypto, bound);
  const holds =
    bytesEqual(qe.reportData.subarray(0, digest.length), digest) && isZero(qe.reportData.subarray(digest.length));
  return recorder.require("attestation key binding", holds, "EVIDENCE_SIGNATURE_INVALID", {
    passed: "the quoting enclave reports this attestation key",
    failed: "the quoting enclave reports another attestation key",
  });
}

/**
 * The platform's owner can run any enclave and have the PCK sign its report, so who signed the quoting enclave is
 * part of the signature, not a property to appraise later.
 */
function checkQuotingEnclave(recorder: CheckRecorder, qe: QeReport, policy: TdxPolicy): boolean {
  const signer = toHex(qe.mrSigner);
  const debug = ((qe.attributes[0] ?? 0) & ENCLAVE_DEBUG) !== 0;
  const why = !policy.quoting_enclave_signers.includes(signer)
    ? `an enclave signed by ${signer} made the quote`
    : qe.isvProdId !== INTEL_TD_QE_PRODUCT
      ? `product ${qe.isvProdId} is not TDX's quoting enclave`
      : debug
        ? "the quoting enclave runs under debug"
        : "";
  return recorder.require("quoting enclave", why === "", "EVIDENCE_SIGNATURE_INVALID", {
    passed: `made by TDX's quoting enclave, version ${qe.isvSvn}`,
    failed: why,
  });
}

/** @returns the PCK certificate when it signed the quoting enclave's report and its chain leads to a pinned root. */
async function checkPck(
  { crypto, recorder }: Checking,
  quote: TdxQuote,
  collateral: TdxCollateral,
  { policy, at }: TdxTerms,
): Promise<Certificate | null> {
  const chain = pckChain(recorder, quote, collateral);
  const leaf = chain?.find(isPck) ?? chain?.[0];
  if (chain === null || leaf === undefined) return null;
  const signed = await verifyP256(crypto, { spki: leaf.spki }, quote.qeReportSignature, quote.qeReport);
  recorder.require("quoting enclave signature", signed, "EVIDENCE_SIGNATURE_INVALID", {
    passed: "the PCK signed the quoting enclave's report",
    failed: "the PCK did not sign the quoting enclave's report",
  });
  const path = await checkChain(crypto, recorder, {
    name: "PCK",
    leaf,
    intermediates: [...chain.filter((one) => one !== leaf), ...collateral.certificates],
    anchors: sgxRootAnchors(policy.trust_anchors),
    at,
    lists: collateral.revocationLists,
    staleLists: policy.stale_lists,
  });
  return signed && path !== null ? leaf : null;
}

/** Chains are written leaf first; the certificate that names a platform is the leaf wherever it stands. */
function isPck(certificate: Certificate): boolean {
  return !certificate.isCa && certificate.extension(SGX_EXTENSION) !== undefined;
}

function pckChain(recorder: CheckRecorder, quote: TdxQuote, collateral: TdxCollateral): readonly Certificate[] | null {
  const { type, data } = quote.certification;
  return recorder.attempt("PCK certificates", "EVIDENCE_CHAIN_INVALID", "a PCK certificate chain was given", () => {
    if (type === CERTIFICATION_PCK_CHAIN) return parsePemCertificates(data, MAX_PCK_CHAIN);
    if (collateral.pckChain.length > 0) return collateral.pckChain;
    throw new CmcpError(
      "EVIDENCE_CHAIN_INVALID",
      `the quote names its PCK by certification data of type ${type} and no PCK certificate chain was given`,
    );
  });
}
