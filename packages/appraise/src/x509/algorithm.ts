import { toHex } from "@cmcp/boundary";
import { contextTag, DerReader, TAG } from "./der.ts";
import { oidText, smallInteger } from "./value.ts";

export type HashName = "SHA-256" | "SHA-384" | "SHA-512";

/** A signature algorithm that may verify; anything else is `unsupported`, SHA-1 and MD5 included. */
export type SignatureAlgorithm =
  | { readonly kind: "rsa-pss"; readonly hash: HashName; readonly saltLength: number }
  | { readonly kind: "rsa-pkcs1" | "ecdsa"; readonly hash: HashName }
  | { readonly kind: "unsupported"; readonly oid: string };

const HASHES: Readonly<Record<string, HashName>> = {
  "2.16.840.1.101.3.4.2.1": "SHA-256",
  "2.16.840.1.101.3.4.2.2": "SHA-384",
  "2.16.840.1.101.3.4.2.3": "SHA-512",
};

/** RFC 4055 section 5 and RFC 5758 section 3.2. */
const SIMPLE: Readonly<Record<string, SignatureAlgorithm>> = {
  "1.2.840.113549.1.1.11": { kind: "rsa-pkcs1", hash: "SHA-256" },
  "1.2.840.113549.1.1.12": { kind: "rsa-pkcs1", hash: "SHA-384" },
  "1.2.840.113549.1.1.13": { kind: "rsa-pkcs1", hash: "SHA-512" },
  "1.2.840.10045.4.3.2": { kind: "ecdsa", hash: "SHA-256" },
  "1.2.840.10045.4.3.3": { kind: "ecdsa", hash: "SHA-384" },
  "1.2.840.10045.4.3.4": { kind: "ecdsa", hash: "SHA-512" },
};

const RSA_PSS = "1.2.840.113549.1.1.10";
const MGF1 = "1.2.840.113549.1.1.8";

/** Reads the next AlgorithmIdentifier (RFC 5280 section 4.1.1.2). */
export function signatureAlgorithm(reader: DerReader): SignatureAlgorithm {
  const identifier = reader.enter(TAG.sequence);
  const oid = oidText(identifier.next(TAG.oid).content);
  if (oid === RSA_PSS) return pssParameters(identifier);
  const simple = SIMPLE[oid] ?? { kind: "unsupported", oid };
  // ECDSA has no parameters; RSA has NULL, which some writers leave out.
  if (simple.kind === "rsa-pkcs1" && !identifier.empty) identifier.next(TAG.null);
  if (simple.kind !== "unsupported") identifier.end();
  return simple;
}

// RSASSA-PSS-params, RFC 4055 section 3.1. What is left out defaults to SHA-1, which does not verify here.
function pssParameters(identifier: DerReader): SignatureAlgorithm {
  const unsupported: SignatureAlgorithm = { kind: "unsupported", oid: RSA_PSS };
  if (identifier.empty) return unsupported;
  const fields = identifier.enter(TAG.sequence);
  identifier.end();
  const hash = explicit(fields, 0, hashName);
  const mask = explicit(fields, 1, maskHash);
  const saltLength = explicit(fields, 2, smallInteger);
  const trailer = explicit(fields, 3, smallInteger);
  fields.end();
  if (hash === undefined || mask !== hash || saltLength === undefined || (trailer ?? 1) !== 1) return unsupported;
  return { kind: "rsa-pss", hash, saltLength };
}

function explicit<T>(fields: DerReader, number: number, read: (reader: DerReader) => T): T | undefined {
  const element = fields.optional(contextTag(number));
  if (element === undefined) return undefined;
  const reader = new DerReader(element.content, "a signature algorithm");
  const value = read(reader);
  reader.end();
  return value;
}

function hashName(reader: DerReader): HashName | undefined {
  const identifier = reader.enter(TAG.sequence);
  const hash = HASHES[oidText(identifier.next(TAG.oid).content)];
  if (!identifier.empty) identifier.next(TAG.null);
  identifier.end();
  return hash;
}

function maskHash(reader: DerReader): HashName | undefined {
  const identifier = reader.enter(TAG.sequence);
  if (oidText(identifier.next(TAG.oid).content) !== MGF1) return undefined;
  const hash = hashName(identifier);
  identifier.end();
  return hash;
}

/** What a public key is for, as far as verification here goes. */
export type KeyKind =
  | { readonly kind: "rsa" }
  | { readonly kind: "ec"; readonly curve: "P-256" | "P-384" }
  | { readonly kind: "unsupported" };

const RSA_KEY = "1.2.840.113549.1.1.1";
const EC_KEY = "1.2.840.10045.2.1";
const CURVES: Readonly<Record<string, "P-256" | "P-384">> = {
  "06082a8648ce3d030107": "P-256",
  "06052b81040022": "P-384",
};

/** Reads the algorithm of a SubjectPublicKeyInfo (RFC 5480 section 2, RFC 3279 section 2.3.1). */
export function keyKind(spki: Uint8Array): KeyKind {
  const identifier = new DerReader(spki, "a public key").enter(TAG.sequence).enter(TAG.sequence);
  const oid = oidText(identifier.next(TAG.oid).content);
  if (oid === RSA_KEY) return { kind: "rsa" };
  const curve = oid === EC_KEY && !identifier.empty ? CURVES[toHex(identifier.next().whole)] : undefined;
  return curve === undefined ? { kind: "unsupported" } : { kind: "ec", curve };
}
