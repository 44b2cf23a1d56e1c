/** Verifier keys, as C2SP signed-note writes them: `<name>+<key id in hex>+<base64 of type and public key>`. */
import { CmcpError, fromBase64, fromHex, toBase64, toHex } from "@cmcp/boundary";

/** Longest key name, in bytes of UTF-8: what a cosigned message of any type can carry (C2SP tlog-cosignature). */
export const MAX_NAME_BYTES = 255;

/** Longest text of a key, with room: beside its name it has fewer than 60 characters. */
const MAX_KEY_LENGTH = 2 * MAX_NAME_BYTES;

/** Bytes of an Ed25519 public key (RFC 8032 section 5.1.5). */
const PUBLIC_KEY_BYTES = 32;

/** Bytes of a key id. */
const KEY_ID_BYTES = 4;

/** The types of signature that are supported (C2SP signed-note, "Signature types"). */
export const SIGNATURE_TYPE = {
  /** Ed25519 over the text of a note. */
  ed25519: 0x01,
  /** Ed25519 over a checkpoint and a time (C2SP tlog-cosignature). */
  cosignature: 0x04,
} as const;

/** A type of signature that is supported. */
export type SignatureType = (typeof SIGNATURE_TYPE)[keyof typeof SIGNATURE_TYPE];

/** A key that verifies signatures of notes. */
export interface VerifierKey {
  readonly name: string;
  /** Unsigned 32-bit number; with the name it says which key made a signature. */
  readonly id: number;
  readonly type: SignatureType;
  /** 32 bytes, Ed25519. */
  readonly publicKey: Uint8Array;
}

/** Whether a text can name a key: not empty, of at most {@link MAX_NAME_BYTES}, without spaces, plus and control characters. */
export function isKeyName(text: string): boolean {
  return (
    text.length > 0 &&
    text.length <= MAX_NAME_BYTES &&
    !/[\p{White_Space}\p{Cc}+]/u.test(text) &&
    text.isWellFormed() &&
    new TextEncoder().encode(text).length <= MAX_NAME_BYTES
  );
}

/** The bytes whose SHA-256 begins with the key id (C2SP signed-note, "Signatures"). */
export function keyIdInput(name: string, type: SignatureType, publicKey: Uint8Array): Uint8Array<ArrayBuffer> {
  const named = new TextEncoder().encode(`${name}\n`);
  const input = new Uint8Array(named.length + 1 + publicKey.length);
  input.set(named);
  input[named.length] = type;
  input.set(publicKey, named.length + 1);
  return input;
}

/** The key id that a SHA-256 of {@link keyIdInput} begins with. */
export function keyIdOf(digest: Uint8Array): number {
  return new DataView(digest.buffer, digest.byteOffset, digest.byteLength).getUint32(0);
}

/** Writes a verifier key. */
export function formatVerifierKey({ name, id, type, publicKey }: VerifierKey): string {
  return `${name}+${id.toString(16).padStart(2 * KEY_ID_BYTES, "0")}+${toBase64(Uint8Array.of(type, ...publicKey))}`;
}

/**
 * Reads a verifier key. Whether its id is that of name and key needs a hash: see {@link keyIdInput}.
 *
 * @param text chosen by whoever configures the key
 * @throws CmcpError `VERIFIER_KEY_INVALID` for another form, a signature type that is not supported, or a key that is not 32 bytes
 */
export function parseVerifierKey(text: string): VerifierKey {
  // Base64 may hold a plus, and a name may not.
  const [name = "", id = "", ...rest] = text.length > MAX_KEY_LENGTH ? [] : text.split("+");
  const idBytes = fromHex(id);
  const [type, ...publicKey] = fromBase64(rest.join("+")) ?? [];
  if (!isKeyName(name)) throw invalid("it is not <name>+<id>+<key>");
  if (idBytes?.length !== KEY_ID_BYTES || toHex(idBytes) !== id)
    throw invalid("its id is not eight digits of lowercase hex");
  if (!isSupported(type)) throw invalid("its signature type is neither Ed25519 nor a cosignature");
  if (publicKey.length !== PUBLIC_KEY_BYTES) throw invalid("its public key is not 32 bytes of base64");
  return { name, id: keyIdOf(idBytes), type, publicKey: Uint8Array.from(publicKey) };
}

function isSupported(type: number | undefined): type is SignatureType {
  return type === SIGNATURE_TYPE.ed25519 || type === SIGNATURE_TYPE.cosignature;
}

function invalid(why: string): CmcpError {
  return new CmcpError("VERIFIER_KEY_INVALID", `not a verifier key: ${why}`);
}

/**
 * Name of the key of a gateway instance in notes.
 *
 * @param thumbprint the key's RFC 7638 thumbprint, base64url
 */
export function instanceKeyName(thumbprint: string): string {
  return `cmcp-instance-${thumbprint}`;
}
