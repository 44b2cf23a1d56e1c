import { CmcpError, toBase64Url, toHex, type JsonObject, schemaProblem } from "@cmcp/boundary";
import type { Evidence, EvidenceParts, TpmParts } from "../evidence.ts";
import { evidenceFileSchema, type ClaimPlace, type EvidenceJson, type TpmJson } from "./schema.ts";

/** What a file carries besides the evidence. */
export interface EvidenceContext {
  /** What an instance's report answers for. */
  readonly binding?: JsonObject;
  /** The `session_start` entry of the session the evidence is for. */
  readonly rootEntry?: JsonObject;
  readonly launchDocument?: Uint8Array;
  readonly collateral?: readonly Uint8Array[];
  /** Where the log has the last claim of a closed session. */
  readonly log?: ClaimPlace;
}

/** Base64 with padding (RFC 4648 section 4). */
export function toBase64(bytes: Uint8Array): string {
  const text = toBase64Url(bytes).replaceAll("-", "+").replaceAll("_", "/");
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}

/** Evidence as `evidence.json` (SPEC.md). Throws `INTERNAL` for evidence no reader would take. */
export function writeEvidenceFile(
  evidence: Evidence,
  { binding, rootEntry, launchDocument, collateral, log }: EvidenceContext = {},
): EvidenceJson {
  const file = {
    format: "cmcp-evidence-v1",
    platform: evidence.platform,
    report_data: toBase64(evidence.reportData),
    generated_at: new Date(evidence.generatedAt).toISOString(),
    ...writeParts(evidence.parts),
    ...(collateral === undefined ? {} : { collateral: collateral.map(toBase64) }),
    ...(binding === undefined ? {} : { binding }),
    ...(rootEntry === undefined ? {} : { root_entry: rootEntry }),
    ...(launchDocument === undefined ? {} : { launch_document: toBase64(launchDocument) }),
    ...(log === undefined ? {} : { log }),
  };
  const parsed = evidenceFileSchema.safeParse(file);
  if (!parsed.success)
    throw new CmcpError("INTERNAL", `evidence is not well formed: ${schemaProblem(parsed.error).text}`);
  return parsed.data;
}

function writeParts(parts: EvidenceParts): object {
  switch (parts.provider) {
    case "software-only":
      return parts;
    case "sev-snp":
      return {
        provider: parts.provider,
        report: toBase64(parts.report),
        certificates: parts.certificates.map(toBase64),
      };
    case "tdx":
      return { provider: parts.provider, quote: toBase64(parts.quote), ...optional("event_log", parts.eventLog) };
    case "tpm":
      return { provider: parts.provider, tpm: writeTpm(parts.tpm) };
    case "azure-cvm":
      return {
        provider: parts.provider,
        report: toBase64(parts.hclReport),
        ...optional("quote", parts.tdQuote),
        certificates: parts.certificates.map(toBase64),
        tpm: writeTpm(parts.tpm),
      };
  }
}

function writeTpm({ quote, keyQuote, attestationKey, certificates, registers, eventLog }: TpmParts): TpmJson {
  return {
    quote: toBase64(quote.attest),
    signature: toBase64(quote.signature),
    key_quote: toBase64(keyQuote.attest),
    key_signature: toBase64(keyQuote.signature),
    ak_public: toBase64(attestationKey),
    ak_certificates: certificates.map(toBase64),
    pcrs: { sha256: Object.fromEntries([...registers].map(([register, value]) => [`${register}`, toHex(value)])) },
    ...optional("event_log", eventLog),
  };
}

function optional(name: string, bytes: Uint8Array | null): Record<string, string> {
  return bytes === null ? {} : { [name]: toBase64(bytes) };
}
