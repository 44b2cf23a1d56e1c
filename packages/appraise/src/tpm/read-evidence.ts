import { CmcpError, untrusted } from "@cmcp/boundary";
import { looksLikeTpmQuote } from "./quote.ts";
import { MAX_ATTACHMENTS, MAX_CERTIFICATES, type TpmEvidence } from "./evidence.ts";
import { readAttachment } from "./forms/attachment.ts";
import { readGoTpmToolsAttestation } from "./forms/go-tpm-tools.ts";
import { readJsonEvidence } from "./forms/json.ts";
import { readStoredQuote } from "./forms/stored-quote.ts";

const OPENING_BRACE = 0x7b;
/** First byte of a go-tpm-tools attestation: field 1, the attestation key. */
const PROTOBUF_FIRST_FIELD = 0x0a;

/**
 * Reads evidence in any form of SPEC.md: a JSON document, a go-tpm-tools attestation, a stored quote, or a bare
 * quote. A bare quote has its signature, key, certificates, register values and log in files of their own.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED`
 */
export function readTpmEvidence(file: Uint8Array, attachments: readonly Uint8Array[] = []): TpmEvidence {
  if (attachments.length > MAX_ATTACHMENTS)
    throw new CmcpError(
      "EVIDENCE_MALFORMED",
      `TPM evidence: ${attachments.length} attached files, more than ${MAX_ATTACHMENTS}`,
    );
  const evidence = attachments.reduce<TpmEvidence>(
    (found, attachment) => ({ ...found, ...readAttachment(found, attachment) }),
    readMain(file),
  );
  if (evidence.certificates.length > MAX_CERTIFICATES)
    throw new CmcpError(
      "EVIDENCE_MALFORMED",
      `TPM evidence: ${evidence.certificates.length} certificates, more than ${MAX_CERTIFICATES}`,
    );
  return evidence;
}

function readMain(file: Uint8Array): TpmEvidence {
  const stored = readStoredQuote(file);
  if (stored !== null) return { ...stored, certificates: [] };
  const first = file.find((byte) => byte > 0x20);
  if (first === OPENING_BRACE && file[0] !== PROTOBUF_FIRST_FIELD) return readJsonEvidence(untrusted(file));
  if (file[0] === PROTOBUF_FIRST_FIELD) return readGoTpmToolsAttestation(file);
  if (!looksLikeTpmQuote(file))
    throw new CmcpError(
      "EVIDENCE_MALFORMED",
      "TPM evidence: neither JSON, nor an attestation of go-tpm-tools, nor a quote",
    );
  return { quote: file, certificates: [], registers: new Map() };
}
