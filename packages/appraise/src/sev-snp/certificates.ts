import { asCmcpError, CmcpError } from "@cmcp/boundary";
import { parseCertificateTable } from "./certificate-table.ts";
import { Certificate, MAX_CERTIFICATE_BYTES } from "../x509/certificate.ts";
import { derOfText } from "../x509/der-text.ts";
import { looksLikePem, parsePemCertificates } from "../x509/pem.ts";
import { AMD_CERTIFICATES } from "./amd-certificates.ts";

/** Certificate inputs, and certificates in each of them. */
const MAX_INPUTS = 16;
const MAX_CERTIFICATES = 16;

/** The first byte of a DER certificate. */
const SEQUENCE = 0x30;

/**
 * Reads certificates in the forms they travel in: DER, also as text in hex or base64, PEM text with one or more, or the
 * certificate table a host puts beside the report (AMD 56421, SNP extended guest request). Duplicates are harmless; order does not matter.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED`.
 */
export function readCertificates(inputs: readonly Uint8Array[]): Certificate[] {
  if (inputs.length > MAX_INPUTS)
    throw new CmcpError("EVIDENCE_MALFORMED", `${inputs.length} certificate inputs, limit ${MAX_INPUTS}`);
  return inputs.flatMap((input) => {
    if (looksLikePem(input)) return parsePemCertificates(input, MAX_CERTIFICATES);
    // Before DER, whose first byte is the digit 0 that hex may begin with.
    const der = derOfText(input, MAX_CERTIFICATE_BYTES);
    return der === null && input[0] !== SEQUENCE ? ofTable(input) : [Certificate.parse(der ?? input)];
  });
}

function ofTable(input: Uint8Array): Certificate[] {
  const entries = readTable(input);
  return [...entries.values()].flatMap((entry) =>
    looksLikePem(entry) ? parsePemCertificates(entry, MAX_CERTIFICATES) : [Certificate.parse(entry)],
  );
}

function readTable(input: Uint8Array): ReturnType<typeof parseCertificateTable> {
  try {
    return parseCertificateTable(input);
  } catch (thrown) {
    throw new CmcpError(
      "EVIDENCE_MALFORMED",
      `a file of certificates is neither DER, PEM, hex, base64 nor a host's table: ${asCmcpError(thrown, "EVIDENCE_MALFORMED", "unreadable").message}`,
    );
  }
}

let amd: readonly Certificate[] | undefined;

/** AMD's own signing and root certificates, read once. */
export function amdCertificates(): readonly Certificate[] {
  amd ??= AMD_CERTIFICATES.map((text) =>
    Certificate.parse(Uint8Array.from(atob(text), (character) => character.charCodeAt(0))),
  );
  return amd;
}
