import {
  canonicalBytes,
  CmcpError,
  examine,
  fromBase64Url,
  isJsonObject,
  parseJson,
  untrusted,
  type JsonLimits,
  type JsonObject,
  type Untrusted,
} from "@cmcp/boundary";
import { readEnvelope, SIGN1_FIRST_BYTE, type Envelope } from "./cose.ts";
import { malformed } from "./malformed.ts";
import { readMembers, readSignatureBlock, SIGNED_MEMBERS, withoutNulls, type ManifestMembers } from "./members.ts";

/** Largest manifest in bytes, envelope included. */
export const MAX_MANIFEST_BYTES = 256 * 1024;
/** Deepest nesting of a manifest's JSON. */
export const MAX_MANIFEST_DEPTH = 32;
/** Most values and keys of a manifest's JSON. */
export const MAX_MANIFEST_ITEMS = 20_000;

const LIMITS: JsonLimits = {
  maxBytes: MAX_MANIFEST_BYTES,
  maxDepth: MAX_MANIFEST_DEPTH,
  maxItems: MAX_MANIFEST_ITEMS,
};

/** How a manifest carries its signature. */
export type ManifestForm = "json" | "cose";

/** A manifest that was read. Nobody has verified its signature. */
export interface ReadManifest {
  readonly form: ManifestForm;
  readonly members: ManifestMembers;
  /** SHA-256 of the issuer's key, hex. */
  readonly keyId: string;
  /** What the signature is over. */
  readonly signed: Uint8Array<ArrayBuffer>;
  /** 64 bytes. */
  readonly signature: Uint8Array<ArrayBuffer>;
  /** What the thumbprint is the SHA-256 of: the canonical JSON that is signed, or the envelope's payload. */
  readonly identified: Uint8Array<ArrayBuffer>;
  /** Canonical JSON of the declared intent; `null` where none is declared. */
  readonly intent: Uint8Array<ArrayBuffer> | null;
}

/**
 * Reads a manifest: JSON with a detached signature (version 0.1), or a tagged COSE_Sign1 (version 0.2).
 * @throws CmcpError `AGENT_MANIFEST_MALFORMED`
 */
export function readManifest(input: Untrusted<Uint8Array>): ReadManifest {
  const bytes = examine(input);
  if (bytes.length > MAX_MANIFEST_BYTES) throw malformed(`it has more than ${MAX_MANIFEST_BYTES} bytes`);
  return bytes[0] === SIGN1_FIRST_BYTE ? ofEnvelope(readEnvelope(bytes)) : ofJson(readObject(input));
}

function readObject(input: Untrusted<Uint8Array>): JsonObject {
  let value;
  try {
    value = withoutNulls(parseJson(input, LIMITS));
  } catch (thrown) {
    throw malformed(thrown instanceof CmcpError ? thrown.message : "not JSON", thrown);
  }
  if (!isJsonObject(value)) throw malformed("it is not a JSON object");
  return value;
}

function ofEnvelope({ keyId, payload, signed, signature }: Envelope): ReadManifest {
  const object = readObject(untrusted(payload));
  const members = requireVersion(readMembers(object), "0.2");
  return { form: "cose", members, keyId, signed, signature, identified: payload.slice(), intent: intentOf(object) };
}

/** Beside the members that are signed stand the signature, and two that attach later. */
function ofJson(object: JsonObject): ReadManifest {
  const { signature: block, attestation: _report, transparency_log_entry: _entry, ...rest } = object;
  const members = requireVersion(readMembers(rest), "0.1");
  const { key_id: keyId, signature_value: value } = readSignatureBlock(block);
  const signature = fromBase64Url(value);
  if (signature === undefined) throw malformed("its signature is not base64url of 64 bytes");
  const signed = canonicalBytes(asSigned(rest));
  return { form: "json", members, keyId, signed, signature, identified: signed, intent: intentOf(rest) };
}

/** What a detached signature covers: approvals attach later, so they are signed as none. */
function asSigned(members: JsonObject): JsonObject {
  const { hitl_record: record } = members;
  const signed = isJsonObject(record) ? { ...members, hitl_record: { ...record, approvals: [] } } : members;
  return Object.fromEntries(Object.entries(signed).filter(([name]) => SIGNED_MEMBERS.includes(name)));
}

function requireVersion(members: ManifestMembers, version: "0.1" | "0.2"): ManifestMembers {
  if (members.version === version) return members;
  throw malformed(`a manifest of this form is of version ${version}`);
}

function intentOf({ intent }: JsonObject): Uint8Array<ArrayBuffer> | null {
  return intent === undefined ? null : canonicalBytes(intent);
}
