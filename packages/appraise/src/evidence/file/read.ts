import { CmcpError, fromHex, type JsonObject, type Untrusted, schemaProblem } from "@cmcp/boundary";
import { BANKS } from "../../event-log/hash-algorithm.ts";
import type { EvidenceParts, Platform, TpmParts } from "../evidence.ts";
import { fromBase64 } from "../../bytes/base64.ts";
import { readJson } from "../../bytes/json.ts";
import { EVIDENCE_FILE_LIMITS } from "./limits.ts";
import { evidenceFileSchema, type ClaimPlace, type EvidenceJson, type TpmJson } from "./schema.ts";

/** An evidence file as received: well formed, and not verified. */
export interface EvidenceFile {
  readonly platform: Platform;
  /** What it says it was made for. A verifier computes report data itself. */
  readonly claimedReportData: Uint8Array;
  readonly generatedAt: string;
  readonly parts: EvidenceParts;
  readonly collateral: readonly Uint8Array[];
  readonly binding: JsonObject | null;
  readonly rootEntry: JsonObject | null;
  readonly launchDocument: Uint8Array | null;
  readonly log: ClaimPlace | null;
}

/** Reads `evidence.json` (SPEC.md). @throws CmcpError `EVIDENCE_MALFORMED` */
export function readEvidenceFile(bytes: Untrusted<Uint8Array>): EvidenceFile {
  return convert(readEvidenceJson(bytes));
}

/** The same as it is written. @throws CmcpError `EVIDENCE_MALFORMED` */
export function readEvidenceJson(bytes: Untrusted<Uint8Array>): EvidenceJson {
  const parsed = evidenceFileSchema.safeParse(readJson(bytes, EVIDENCE_FILE_LIMITS, "evidence file"));
  if (!parsed.success) throw malformed(schemaProblem(parsed.error).text);
  return parsed.data;
}

function malformed(why: string): CmcpError {
  return new CmcpError("EVIDENCE_MALFORMED", `evidence file: ${why}`);
}

function convert(json: EvidenceJson): EvidenceFile {
  return {
    platform: json.platform,
    claimedReportData: fromBase64(json.report_data, "report_data"),
    generatedAt: json.generated_at,
    parts: readParts(json),
    collateral: (json.collateral ?? []).map((text) => fromBase64(text, "collateral")),
    binding: json.binding ?? null,
    rootEntry: json.root_entry ?? null,
    launchDocument: optional(json.launch_document, "launch_document"),
    log: json.log ?? null,
  };
}

function readParts(json: EvidenceJson): EvidenceParts {
  switch (json.provider) {
    case "software-only":
      return { provider: json.provider };
    case "sev-snp":
      return {
        provider: json.provider,
        report: fromBase64(json.report, "report"),
        certificates: each(json.certificates),
      };
    case "tdx":
      return {
        provider: json.provider,
        quote: fromBase64(json.quote, "quote"),
        eventLog: optional(json.event_log, "event_log"),
      };
    case "tpm":
      return { provider: json.provider, tpm: readTpm(json.tpm) };
    case "azure-cvm":
      return {
        provider: json.provider,
        hclReport: fromBase64(json.report, "report"),
        tdQuote: optional(json.quote, "quote"),
        certificates: each(json.certificates),
        tpm: readTpm(json.tpm),
      };
  }
}

function readTpm(json: TpmJson): TpmParts {
  return {
    quote: { attest: fromBase64(json.quote, "tpm.quote"), signature: fromBase64(json.signature, "tpm.signature") },
    keyQuote: {
      attest: fromBase64(json.key_quote, "tpm.key_quote"),
      signature: fromBase64(json.key_signature, "tpm.key_signature"),
    },
    attestationKey: fromBase64(json.ak_public, "tpm.ak_public"),
    certificates: each(json.ak_certificates),
    bank: BANKS.sha256.id,
    registers: new Map(
      Object.entries(json.pcrs.sha256).map(([register, value]) => [
        Number(register),
        fromHex(value) ?? new Uint8Array(),
      ]),
    ),
    eventLog: optional(json.event_log, "tpm.event_log"),
  };
}

function each(texts: readonly string[]): Uint8Array[] {
  return texts.map((text) => fromBase64(text, "certificates"));
}

function optional(text: string | undefined, what: string): Uint8Array | null {
  return text === undefined ? null : fromBase64(text, what);
}
