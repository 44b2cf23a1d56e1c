import { CmcpError, untrusted } from "@cmcp/boundary";
import { readAttachment } from "../tpm/forms/attachment.ts";
import { MAX_ATTACHMENTS } from "../tpm/evidence.ts";
import type { AzureCvmEvidence } from "./evidence.ts";
import { readAzureJson } from "./json.ts";

const OPENING_BRACE = 0x7b;
/** First bytes of a TDX quote: version 4 or 5 and the type of attestation key (Intel DCAP, quote header). */
const TDX_QUOTE_VERSIONS: readonly number[] = [4, 5];
/** First bytes of a quote of a TPM: TPM_GENERATED_VALUE. */
const TPM_GENERATED = [0xff, 0x54, 0x43, 0x47] as const;

/**
 * Reads evidence in any form of SPEC.md: a JSON document, or an HCL report as the virtual TPM holds it with quote,
 * signature, registers, certificates and TDX quote in files of their own.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED`
 */
export function readAzureCvmEvidence(file: Uint8Array, attachments: readonly Uint8Array[] = []): AzureCvmEvidence {
  if (attachments.length > MAX_ATTACHMENTS) throw new CmcpError("EVIDENCE_MALFORMED", `Azure evidence: ${attachments.length} attached files, more than ${MAX_ATTACHMENTS}`);
  const first = file.find((byte) => byte > 0x20);
  const main: AzureCvmEvidence = first === OPENING_BRACE ? readAzureJson(untrusted(file)) : { paravisor: { hclReport: file }, certificates: [], registers: new Map() };
  return attachments.reduce((found, attachment) => attach(found, attachment), main);
}

function attach(evidence: AzureCvmEvidence, bytes: Uint8Array): AzureCvmEvidence {
  if (TDX_QUOTE_VERSIONS.includes(bytes[0] ?? 0) && bytes[1] === 0 && bytes[2] === 2 && bytes[3] === 0) return { ...evidence, tdQuote: once(evidence.tdQuote, bytes, "TDX quotes") };
  if (isTpmQuote(bytes) || isTpmQuote(bytes.subarray(2))) return { ...evidence, quote: once(evidence.quote, bytes, "quotes") };
  return { ...evidence, ...readAttachment({ ...evidence, quote: evidence.quote ?? new Uint8Array() }, bytes) };
}

function isTpmQuote(bytes: Uint8Array): boolean {
  return TPM_GENERATED.every((byte, index) => bytes[index] === byte);
}

function once(before: Uint8Array | undefined, bytes: Uint8Array, what: string): Uint8Array {
  if (before !== undefined) throw new CmcpError("EVIDENCE_MALFORMED", `Azure evidence: there are two ${what}`);
  return bytes;
}
