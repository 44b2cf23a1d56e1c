import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { ByteReader, CmcpError } from "@cmcp/boundary";
import { PLATFORM_SECRET_KINDS, type PlatformSecret } from "./platform-secret.ts";

const MAGIC = new TextEncoder().encode("CMCPSEAL");
const VERSION = 1;
const SALT = "cmcp-sealing-v1";
const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Most bytes that are sealed at a time, and the largest blob read. */
export const MAX_SEALED_BYTES = 4096;
export const MAX_BLOB_BYTES = 8192;

/** What a sealed value is bound to besides the platform's secret. */
export interface SealBinding {
  /** SHA-256 of the launch document, 32 bytes: another configuration of the same image has another key. */
  readonly launchDigest: Uint8Array;
  /** What the value is for; a blob opens for no other purpose. */
  readonly purpose: string;
}

/**
 * Encrypts a value so that only the same image, launched with the same document on the same hardware, can open it
 * (SPEC.md). The host keeps the blob: it can lose it or hand back an older one, never read or change it.
 *
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`; `INTERNAL` for more than {@link MAX_SEALED_BYTES}
 */
export async function seal(platform: PlatformSecret, binding: SealBinding, value: Uint8Array): Promise<Uint8Array> {
  if (value.length > MAX_SEALED_BYTES) throw new CmcpError("INTERNAL", `at most ${MAX_SEALED_BYTES} bytes are sealed`);
  const { secret, recipe } = await platform.make();
  const header = Buffer.concat([
    MAGIC,
    Uint8Array.from([VERSION, PLATFORM_SECRET_KINDS[platform.kind], recipe.length >> 8, recipe.length & 0xff]),
    recipe,
  ]);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, sealingKey(secret, binding), nonce).setAAD(header);
  return new Uint8Array(Buffer.concat([header, nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]));
}

/**
 * Opens a blob of {@link seal}. `null` for one that does not open here: sealed for another launch, machine, platform
 * or purpose, or altered.
 *
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE` when the platform cannot be asked.
 */
export async function unseal(
  platform: PlatformSecret,
  binding: SealBinding,
  blob: Uint8Array,
): Promise<Uint8Array | null> {
  const parsed = parseBlob(blob, PLATFORM_SECRET_KINDS[platform.kind]);
  if (parsed === null) return null;
  const secret = await platform.again(parsed.recipe);
  if (secret === null) return null;
  const decipher = createDecipheriv(CIPHER, sealingKey(secret, binding), parsed.nonce)
    .setAAD(parsed.header)
    .setAuthTag(parsed.tag);
  try {
    return new Uint8Array(Buffer.concat([decipher.update(parsed.ciphertext), decipher.final()]));
  } catch {
    // The tag does not fit: not sealed by this launch for this purpose.
    return null;
  }
}

/** HKDF-SHA-256 (RFC 5869) of the platform's secret, bound to launch digest and purpose. */
function sealingKey(secret: Uint8Array, { launchDigest, purpose }: SealBinding): Uint8Array {
  if (launchDigest.length !== 32) throw new CmcpError("INTERNAL", "a launch digest is 32 bytes");
  return new Uint8Array(
    hkdfSync("sha256", secret, SALT, Buffer.concat([launchDigest, Buffer.from(purpose)]), KEY_BYTES),
  );
}

interface ParsedBlob {
  readonly header: Uint8Array;
  readonly recipe: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
}

function parseBlob(blob: Uint8Array, kind: number): ParsedBlob | null {
  if (blob.length > MAX_BLOB_BYTES) return null;
  const reader = new ByteReader(blob, "sealed blob", "big");
  try {
    if (!Buffer.from(reader.take(MAGIC.length)).equals(MAGIC) || reader.u8() !== VERSION || reader.u8() !== kind)
      return null;
    const recipe = reader.take(reader.u16());
    const header = blob.subarray(0, reader.offset);
    const nonce = reader.take(NONCE_BYTES);
    return {
      header,
      recipe,
      nonce,
      ciphertext: reader.take(reader.remaining - TAG_BYTES),
      tag: reader.take(TAG_BYTES),
    };
  } catch {
    // Truncated: nothing of ours.
    return null;
  }
}
