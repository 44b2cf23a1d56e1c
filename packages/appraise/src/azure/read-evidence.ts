import { CmcpError, untrusted } from "@cmcp/boundary";
import { readStoredQuote } from "../tpm/forms/stored-quote.ts";
import { readAttachment } from "../tpm/forms/attachment.ts";
import { looksLikeTpmQuote } from "../tpm/quote.ts";
import { MAX_ATTACHMENTS } from "../tpm/evidence.ts";
import type { AzureCvmEvidence } from "./evidence.ts";
import { looksLikeHclReport } from "./hcl-report.ts";
import { readAzureJson } from "./json.ts";

const OPENING_BRACE = 0x7b;
/** First bytes of a TDX quote: version 4 or 5 and the type of attestation key (Intel DCAP, quote header). */
const TDX_QUOTE_VERSIONS: readonly number[] = [4, 5];

/**
 * Reads evidence in any form of SPEC.md: a JSON document, or an HCL report as the virtual TPM holds it. With an HCL
 * report, quote, signature, registers, certificates and TDX quote are in files of their own.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED`
 */
export function readAzureCvmEvidence(file: Uint8Array, attachments: readonly Uint8Array[] = []): AzureCvmEvidence {
  if (attachments.length > MAX_ATTACHMENTS)
    throw new CmcpError(
      "EVIDENCE_MALFORMED",
      `Azure evidence: ${attachments.length} attached files, more than ${MAX_ATTACHMENTS}`,
    );
  const first = file.find((byte) => byte > 0x20);
  if (first === OPENING_BRACE) return attachments.reduce(attach, readAzureJson(untrusted(file)));
  if (!looksLikeHclReport(file))
    throw new CmcpError("EVIDENCE_MALFORMED", "Azure evidence: neither JSON nor a report of the paravisor");
  return attachments.reduce<AzureCvmEvidence>(attach, {
    paravisor: { hclReport: file },
    certificates: [],
    registers: new Map(),
  });
}

function attach(evidence: AzureCvmEvidence, bytes: Uint8Array): AzureCvmEvidence {
  if (TDX_QUOTE_VERSIONS.includes(bytes[0] ?? 0) && bytes[1] === 0 && bytes[2] === 2 && bytes[3] === 0)
    return { ...evidence, tdQuote: once(evidence.tdQuote, bytes, "TDX quotes") };
  const stored = readStoredQuote(bytes);
  if (stored !== null) return { ...evidence, ...stored, quote: once(evidence.quote, stored.quote, "quotes") };
  if (looksLikeTpmQuote(bytes)) return { ...evidence, quote: once(evidence.quote, bytes, "quotes") };
  return { ...evidence, ...readAttachment({ ...evidence, quote: evidence.quote ?? new Uint8Array() }, bytes) };
}

function once(before: Uint8Array | undefined, bytes: Uint8Array, what: string): Uint8Array {
  if (before !== undefined) throw new CmcpError("EVIDENCE_MALFORMED", `Azure evidence: there are two ${what}`);
  return bytes;
}
