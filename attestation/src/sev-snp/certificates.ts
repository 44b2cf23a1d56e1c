import { CmcpError } from "@cmcp/boundary";
import { parseCertificateTable } from "../configfs-tsm/certificate-table.ts";
import { Certificate } from "../x509/certificate.ts";
import { looksLikePem, parsePemCertificates } from "../x509/pem.ts";
import { AMD_CERTIFICATES } from "./amd-certificates.ts";

/** Certificate inputs, and certificates in each of them. */
const MAX_INPUTS = 8;
const MAX_CERTIFICATES = 16;

/** The first byte of a DER certificate. */
const SEQUENCE = 0x30;

/**
 * Reads certificates in the forms they travel in: a DER file, PEM text with one or more, or the certificate table a
 * host puts beside the report (AMD 56421, SNP extended guest request). Duplicates are harmless; order does not matter.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED`.
 */
export function readCertificates(inputs: readonly Uint8Array[]): Certificate[] {
  if (inputs.length > MAX_INPUTS) throw new CmcpError("EVIDENCE_MALFORMED", `${inputs.length} certificate inputs, limit ${MAX_INPUTS}`);
  return inputs.flatMap((input) => {
    if (looksLikePem(input)) return parsePemCertificates(input, MAX_CERTIFICATES);
    if (input[0] === SEQUENCE) return [Certificate.parse(input)];
    return [...parseCertificateTable(input).values()].flatMap((entry) => (looksLikePem(entry) ? parsePemCertificates(entry, MAX_CERTIFICATES) : [Certificate.parse(entry)]));
  });
}

let amd: readonly Certificate[] | undefined;

/** AMD's own signing and root certificates, read once. */
export function amdCertificates(): readonly Certificate[] {
  amd ??= AMD_CERTIFICATES.map((text) => Certificate.parse(Uint8Array.from(atob(text), (character) => character.charCodeAt(0))));
  return amd;
}
