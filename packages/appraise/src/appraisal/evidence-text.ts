import { fromHex, isJsonObject, parseJson, untrusted, type JsonLimits } from "@cmcp/boundary";
import type { EvidencePlatform } from "./requirements.ts";
import { fromBase64 } from "../bytes/base64.ts";

/** Largest report or quote as text, in bytes. */
const MAX_TEXT_BYTES = 256 * 1024;
/** A JSON answer with a quote and the event log beside it. */
const LIMITS: JsonLimits = { maxBytes: 4 * 1024 * 1024, maxDepth: 16, maxItems: 50_000 };
const OPENING_BRACE = 0x7b;
const HEX = /^(?:0x)?([0-9a-fA-F\s]+)$/;
/** Of trimmed text: blanks that two parts of a pattern take are divided between them in every way before it fails. */
const BASE64 = /^[A-Za-z0-9+/_\s-]+={0,2}$/;

/** Members of a JSON answer that hold a report or quote as text. JSON of a TPM or of Azure has forms of its own. */
const MEMBERS: Readonly<Partial<Record<EvidencePlatform, readonly string[]>>> = {
  "sev-snp": ["report", "attestation_report"],
  tdx: ["quote", "td_quote"],
};

/**
 * A report or quote in bytes, however it was handed on: as it is, as text in hex or base64, or as such text in a
 * member of a JSON object. Other bytes are returned unchanged, and the parser reports what is wrong.
 */
export function evidenceBytes(platform: EvidencePlatform, file: Uint8Array): Uint8Array {
  const names = MEMBERS[platform];
  if (file.find((byte) => byte > 0x20) === OPENING_BRACE)
    return names === undefined ? file : (fromMember(names, file) ?? file);
  return file.length <= MAX_TEXT_BYTES ? (fromText(new TextDecoder("latin1").decode(file)) ?? file) : file;
}

function fromText(input: string): Uint8Array | null {
  const text = input.trim();
  const hex = HEX.exec(text)?.[1]?.replaceAll(/\s/g, "");
  const bytes = hex === undefined ? undefined : fromHex(hex.toLowerCase());
  if (bytes !== undefined) return bytes;
  if (!BASE64.test(text)) return null;
  try {
    return fromBase64(text.replaceAll(/\s/g, ""), "evidence");
  } catch {
    // Text of another kind.
    return null;
  }
}

function fromMember(names: readonly string[], file: Uint8Array): Uint8Array | null {
  try {
    const value = parseJson(untrusted(file), LIMITS);
    const text = isJsonObject(value)
      ? names.map((name) => value[name]).find((member) => typeof member === "string")
      : undefined;
    return typeof text === "string" ? fromText(text) : null;
  } catch {
    // Not JSON; the parser of the platform says so.
    return null;
  }
}
