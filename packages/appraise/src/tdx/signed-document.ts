import type { CheckRecorder } from "../checks/check.ts";
import type { VerifierCrypto } from "../checks/crypto.ts";
import { checkChain } from "../x509/chain.ts";
import type { Certificate } from "../x509/certificate.ts";
import { sgxRootAnchors } from "./anchors.ts";
import type { SignedDocument, TdxCollateral } from "./unverified-collateral.ts";
import { verifyP256 } from "./p256.ts";
import { SGX_EXTENSION } from "./pck.ts";
import type { TdxPolicy } from "./policy.ts";

/** What every document of Intel's has: its issue, its end, and the evaluation of all platforms it belongs to. */
export interface DatedDocument {
  readonly issueDate: Date;
  readonly nextUpdate: Date;
  readonly tcbEvaluationDataNumber: number;
}

/** One of Intel's documents, how to read it, and what the checks about it are called. */
export interface DocumentKind<T extends DatedDocument> {
  readonly name: string;
  readonly parse: (bytes: Uint8Array) => T;
}

/** The collateral a document is verified with, and how strictly. */
export interface CollateralContext {
  readonly crypto: VerifierCrypto;
  readonly recorder: CheckRecorder;
  readonly collateral: TdxCollateral;
  readonly policy: TdxPolicy;
  readonly at: Date;
}

/** Subject of the certificate that signs TCB info and identities (SGX PCK Certificate and CRL Profile, section 1.2.3). */
const SIGNER_NAME = "Intel SGX TCB Signing";
/** Signer and root: nothing lies between. */
const SIGNER_PATH = 2;

/**
 * Verifies one document: signed over its exact bytes by a TCB signing certificate that the pinned root issued, in
 * its time, and of a recent enough evaluation. The content is read only after the signature held.
 *
 * @returns the document when its signature holds; what else is wrong with it is a failed check.
 */
export async function verifyDocument<T extends DatedDocument>(
  context: CollateralContext,
  kind: DocumentKind<T>,
  document: SignedDocument | null,
): Promise<T | null> {
  const { recorder, policy, at } = context;
  const { name } = kind;
  if (document === null) {
    recorder.notPerformed(name, `absent: no ${name} was given`);
    return null;
  }
  if (!(await checkSigner(context, name, document))) return null;
  const content = recorder.attempt(`${name} format`, "EVIDENCE_COLLATERAL_INVALID", "read from the signed bytes", () =>
    kind.parse(document.bytes),
  );
  if (content === null) return null;
  const { issueDate, nextUpdate, tcbEvaluationDataNumber } = content;
  const span = `issued ${issueDate.toISOString()}, next update ${nextUpdate.toISOString()}`;
  recorder.require(`${name} freshness`, at >= issueDate && at <= nextUpdate, "EVIDENCE_EXPIRED", {
    passed: span,
    failed: `${span}: stale at ${at.toISOString()}`,
  });
  const { minimum_evaluation_number: minimum } = policy.tcb;
  const number = `TCB evaluation ${tcbEvaluationDataNumber}`;
  recorder.require(`${name} evaluation`, tcbEvaluationDataNumber >= minimum, "EVIDENCE_COLLATERAL_INVALID", {
    passed: number,
    failed: `${number} is below ${minimum}`,
  });
  return content;
}

async function checkSigner(
  { crypto, recorder, collateral, policy, at }: CollateralContext,
  name: string,
  document: SignedDocument,
): Promise<boolean> {
  const candidates = collateral.certificates.filter(maySign);
  if (candidates.length === 0) {
    recorder.notPerformed(`${name} signature`, "absent: no TCB signing certificate was given");
    return false;
  }
  const leaf = await findSigner(crypto, candidates, document, at);
  recorder.require(`${name} signature`, leaf !== null, "EVIDENCE_COLLATERAL_INVALID", {
    passed: "signed by a TCB signing certificate",
    failed: "no TCB signing certificate that was given signed these bytes",
  });
  if (leaf === null) return false;
  const anchors = sgxRootAnchors(policy.trust_anchors);
  const path = await checkChain(crypto, recorder, {
    name: `${name} signer`,
    leaf,
    intermediates: collateral.certificates,
    anchors,
    at,
    lists: collateral.revocationLists,
    staleLists: policy.stale_lists,
  });
  if (path === null) return false;
  return recorder.require(`${name} signer issuer`, path.length === SIGNER_PATH, "EVIDENCE_CHAIN_INVALID", {
    passed: "the root itself issued it",
    failed: "the root did not issue it itself",
  });
}

/** A PCK certificate signs reports and an authority signs certificates: neither may sign collateral. */
function maySign(certificate: Certificate): boolean {
  return (
    !certificate.isCa && certificate.extension(SGX_EXTENSION) === undefined && certificate.commonName === SIGNER_NAME
  );
}

/** Renewed signing certificates share one key: one that is valid at the time comes first. */
async function findSigner(
  crypto: VerifierCrypto,
  candidates: readonly Certificate[],
  document: SignedDocument,
  at: Date,
): Promise<Certificate | null> {
  const valid = ({ notBefore, notAfter }: Certificate): boolean => at >= notBefore && at <= notAfter;
  for (const leaf of [...candidates.filter(valid), ...candidates.filter((one) => !valid(one))]) {
    if (await verifyP256(crypto, { spki: leaf.spki }, document.signature, document.bytes)) return leaf;
  }
  return null;
}
