import { CmcpError, toHex, schemaProblem } from "@cmcp/boundary";
import { readCertificates } from "../../sev-snp/certificates.ts";
import { fromBase64 } from "../../bytes/base64.ts";
import { evidenceFileSchema, type EvidenceJson } from "./schema.ts";
import { toBase64 } from "./write.ts";

/** What a vendor answered about a piece of evidence, in the vendor's own bytes. */
export interface VendorAnswers {
  /** Certificates of the endorsement key and of who signed it, each DER or PEM. */
  readonly certificates: readonly Uint8Array[];
  /** Revocation lists, TCB info, identities and the chains of who signed them. */
  readonly collateral: readonly Uint8Array[];
}

/**
 * An evidence file with what its vendor answered. Collateral is replaced, because a verifier takes one of each kind;
 * certificates are added, and stand in for those of the same key. Doing it again changes nothing.
 * @throws CmcpError `EVIDENCE_MALFORMED` for certificates that cannot be read, and for more than a file has room for
 */
export function completeEvidence(file: EvidenceJson, answers: VendorAnswers): EvidenceJson {
  const completed = {
    ...file,
    collateral: answers.collateral.map(toBase64),
    ...("certificates" in file ? { certificates: mergeCertificates(file.certificates, answers.certificates) } : {}),
  };
  const parsed = evidenceFileSchema.safeParse(completed);
  if (!parsed.success)
    throw new CmcpError(
      "EVIDENCE_MALFORMED",
      `evidence file: the vendor's answers do not fit: ${schemaProblem(parsed.error).text}`,
    );
  return parsed.data;
}

function mergeCertificates(present: readonly string[], answered: readonly Uint8Array[]): string[] {
  if (answered.length === 0) return [...present];
  const added = readCertificates(answered);
  const keys = new Set(added.map(({ spki }) => toHex(spki)));
  const others = readCertificates(present.map((text) => fromBase64(text, "certificates"))).filter(
    ({ spki }) => !keys.has(toHex(spki)),
  );
  return [...added, ...others].map(({ raw }) => toBase64(raw));
}
