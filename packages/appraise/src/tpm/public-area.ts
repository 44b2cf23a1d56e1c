import { ByteReader, CmcpError, derElement, derSequence } from "@cmcp/boundary";
import { rsaKeyInfo } from "./rsa-key-info.ts";

/** TPM_ALG_ID values a signing key's public area can hold (part 2, section 6.3). */
const ALG = {
  rsa: 0x0001,
  null: 0x0010,
  rsassa: 0x0014,
  rsaes: 0x0015,
  rsapss: 0x0016,
  oaep: 0x0017,
  ecdsa: 0x0018,
  ecdaa: 0x001a,
  sm2: 0x001b,
  ecSchnorr: 0x001c,
  ecc: 0x0023,
} as const;
/** TPM_ECC_CURVE (part 2, section 6.4). */
const CURVES: ReadonlyMap<number, { readonly oid: Uint8Array; readonly bytes: number }> = new Map([
  [0x0003, { oid: Uint8Array.of(0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07), bytes: 32 }],
  [0x0004, { oid: Uint8Array.of(0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22), bytes: 48 }],
]);
/** Object identifier of id-ecPublicKey (RFC 3279 section 2.3.5). */
const EC_PUBLIC_KEY = Uint8Array.of(0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01);

const MAX_POLICY_BYTES = 64;
const MAX_MODULUS_BYTES = 512;
/** The exponent a TPM means by zero (part 2, section 12.2.3.5). */
const DEFAULT_EXPONENT = 65537;

/** TPMA_OBJECT (part 2, section 8.3.2): what the TPM lets be done with a key. */
export interface ObjectAttributes {
  readonly fixedTpm: boolean;
  readonly fixedParent: boolean;
  readonly sensitiveDataOrigin: boolean;
  readonly restricted: boolean;
  readonly decrypt: boolean;
  readonly sign: boolean;
}

/** TPMT_PUBLIC of an RSA or ECC key, as far as a verifier needs it. */
export interface PublicArea {
  readonly attributes: ObjectAttributes;
  /** The one signing scheme of the key, as TPM_ALG_ID, and its hash; `null` when the key has no fixed one. */
  readonly scheme: { readonly id: number; readonly hashId: number } | null;
  /** DER SubjectPublicKeyInfo of the same key. */
  readonly spki: Uint8Array;
}

/** Parses TPMT_PUBLIC (part 2, section 12.2.4). Throws `EVIDENCE_MALFORMED`. */
export function parsePublicArea(bytes: Uint8Array): PublicArea {
  const reader = new ByteReader(bytes, "TPM public area", "big");
  const type = reader.u16();
  if (type !== ALG.rsa && type !== ALG.ecc) throw malformed("neither an RSA nor an ECC key");
  reader.u16();
  const attributes = objectAttributes(reader.u32());
  sized(reader, MAX_POLICY_BYTES);
  skipSymmetric(reader);
  const scheme = readScheme(reader);
  const spki = type === ALG.rsa ? rsaKey(reader) : eccKey(reader);
  reader.end();
  return { attributes, scheme, spki };
}

function malformed(why: string): CmcpError {
  return new CmcpError("EVIDENCE_MALFORMED", `TPM public area: ${why}`);
}

function objectAttributes(bits: number): ObjectAttributes {
  const bit = (number: number): boolean => ((bits >>> number) & 1) === 1;
  return {
    fixedTpm: bit(1),
    fixedParent: bit(4),
    sensitiveDataOrigin: bit(5),
    restricted: bit(16),
    decrypt: bit(17),
    sign: bit(18),
  };
}

function sized(reader: ByteReader, limit: number): Uint8Array {
  const length = reader.u16();
  if (length > limit) throw malformed(`a field of ${length} bytes`);
  return reader.take(length);
}

/** TPMT_SYM_DEF_OBJECT (part 2, section 11.1.7): key bits and mode follow, but for TPM_ALG_NULL. */
function skipSymmetric(reader: ByteReader): void {
  if (reader.u16() !== ALG.null) reader.skip(4);
}

/** TPMT_RSA_SCHEME or TPMT_ECC_SCHEME (part 2, sections 11.2.4.2 and 11.2.5.6). */
function readScheme(reader: ByteReader): PublicArea["scheme"] {
  const id = reader.u16();
  if (id === ALG.null || id === ALG.rsaes) return null;
  if (![ALG.rsassa, ALG.rsapss, ALG.oaep, ALG.ecdsa, ALG.ecdaa, ALG.sm2, ALG.ecSchnorr].some((known) => known === id))
    throw malformed("an unknown scheme");
  const hashId = reader.u16();
  if (id === ALG.ecdaa) reader.skip(2);
  return { id, hashId };
}

/** TPMS_RSA_PARMS after its scheme, and TPM2B_PUBLIC_KEY_RSA. */
function rsaKey(reader: ByteReader): Uint8Array {
  const bits = reader.u16();
  const exponent = reader.u32();
  const modulus = sized(reader, MAX_MODULUS_BYTES);
  if (modulus.length * 8 !== bits) throw malformed("the modulus is not as long as the key says");
  return rsaKeyInfo(modulus, bigEndian(exponent === 0 ? DEFAULT_EXPONENT : exponent));
}

/** TPMS_ECC_PARMS after its scheme, and TPMS_ECC_POINT. */
function eccKey(reader: ByteReader): Uint8Array {
  const curve = CURVES.get(reader.u16());
  if (curve === undefined) throw malformed("a curve that is neither P-256 nor P-384");
  // TPMT_KDF_SCHEME: a hash follows, but for TPM_ALG_NULL.
  if (reader.u16() !== ALG.null) reader.skip(2);
  const point = new Uint8Array(1 + 2 * curve.bytes);
  point[0] = 0x04;
  for (const end of [1 + curve.bytes, point.length]) {
    const coordinate = sized(reader, curve.bytes);
    point.set(coordinate, end - coordinate.length);
  }
  return derSequence(derSequence(EC_PUBLIC_KEY, curve.oid), derElement(0x03, Uint8Array.of(0), point));
}

function bigEndian(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}
