import { CmcpError } from "@cmcp/boundary";
import { Certificate } from "../../x509/certificate.ts";
import { withoutZeroPadding } from "../../x509/padding.ts";
import { looksLikePem, pemCertificates } from "../../x509/pem.ts";
import { MAX_CERTIFICATES, type TpmEvidence } from "../evidence.ts";
import { looksLikePcrFile, readPcrFile } from "./pcr-file.ts";

/** What a file adds to the evidence. */
export type Attachment = Partial<
  Pick<TpmEvidence, "signature" | "attestationKey" | "certificates" | "registers" | "eventLog">
>;

const SEQUENCE = 0x30;
/** What a short ECDSA-Sig-Value goes on with; a SubjectPublicKeyInfo goes on with another sequence. */
const INTEGER = 0x02;
/** Lengths of plain RSA signatures of 2048, 3072 and 4096 bits, and of ECDSA over P-256 and P-384 as r ‖ s. */
const PLAIN_SIGNATURE_BYTES: readonly number[] = [256, 384, 512, 64, 96];
/** First two bytes of TPMT_SIGNATURE by RSASSA, RSAPSS and ECDSA, and of TPMT_PUBLIC of RSA and ECC keys. */
const SIGNATURE_SCHEMES: readonly number[] = [0x0014, 0x0016, 0x0018];
const KEY_TYPES: readonly number[] = [0x0001, 0x0023];
/** A log begins with an event of 32 bytes or more for a PCR, a number in four bytes of which two are zero. */
const LOG_MIN_BYTES = 32;

/**
 * Tells what a file beside a quote is, by its bytes, and adds it. A thing may be given once; certificates add up.
 * Zeros behind DER are taken for the rest of the NV index that it was read from: Azure's certificate of the attestation
 * key stands in one of 4096 bytes, and its tools keep all of them, in PEM too.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED` for a file that is not one of these, and for a second one of a kind.
 */
export function readAttachment(evidence: TpmEvidence, bytes: Uint8Array): Attachment {
  if (looksLikePem(bytes))
    return isPublicKeyPem(bytes) ? once(evidence, "attestationKey", bytes) : more(evidence, readPem(bytes));
  if (PLAIN_SIGNATURE_BYTES.includes(bytes.length)) return once(evidence, "signature", bytes);
  if (bytes[0] === SEQUENCE) return readDer(evidence, withoutZeroPadding(bytes));
  const start = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
  if (SIGNATURE_SCHEMES.includes(start)) return once(evidence, "signature", bytes);
  if (KEY_TYPES.includes(start) || start === bytes.length - 2) return once(evidence, "attestationKey", bytes);
  if (looksLikePcrFile(bytes)) return registersOnce(evidence, bytes);
  if (bytes.length >= LOG_MIN_BYTES && bytes[2] === 0 && bytes[3] === 0) return once(evidence, "eventLog", bytes);
  throw new CmcpError(
    "EVIDENCE_MALFORMED",
    "TPM evidence: an attached file is neither a signature, key, certificate, PCR file nor event log",
  );
}

function readPem(bytes: Uint8Array): readonly Uint8Array[] {
  return pemCertificates(bytes, MAX_CERTIFICATES).map((der) => Certificate.parse(withoutZeroPadding(der)).raw);
}

function readDer(evidence: TpmEvidence, der: Uint8Array): Attachment {
  return isCertificate(der)
    ? more(evidence, [der])
    : once(evidence, der[2] === INTEGER ? "signature" : "attestationKey", der);
}

function isPublicKeyPem(bytes: Uint8Array): boolean {
  return new TextDecoder("latin1").decode(bytes.subarray(0, 4096)).includes("-----BEGIN PUBLIC KEY-----");
}

function isCertificate(bytes: Uint8Array): boolean {
  try {
    Certificate.parse(bytes);
    return true;
  } catch {
    // Not a certificate; the other DER that may be attached is told by its length.
    return false;
  }
}

function registersOnce(evidence: TpmEvidence, bytes: Uint8Array): Attachment {
  if (evidence.registers.size > 0)
    throw new CmcpError("EVIDENCE_MALFORMED", "TPM evidence: there are two of registers");
  return { registers: readPcrFile(bytes) };
}

function once(evidence: TpmEvidence, kind: "signature" | "attestationKey" | "eventLog", bytes: Uint8Array): Attachment {
  if (evidence[kind] !== undefined) throw new CmcpError("EVIDENCE_MALFORMED", `TPM evidence: there are two of ${kind}`);
  return { [kind]: bytes };
}

function more(evidence: TpmEvidence, certificates: readonly Uint8Array[]): Attachment {
  return { certificates: [...evidence.certificates, ...certificates] };
}
