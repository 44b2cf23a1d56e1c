import { sha256, type VerifierCrypto } from "@cmcp/appraise";
import { thumbprintInput, type SigningJwk } from "@cmcp/appraise/evidence";
import type { LogPlace } from "@cmcp/audit/schema";
import { bytesEqual, CmcpError, fromBase64Url, toBase64Url } from "@cmcp/boundary";
import {
  instanceKeyName,
  keyIdInput,
  keyIdOf,
  leafInput,
  parseCheckpoint,
  parseNote,
  rootFromPath,
  SIGNATURE_TYPE,
  signaturesBy,
  type Checkpoint,
  type Note,
} from "@cmcp/log/format";
import { verifyEd25519 } from "../crypto.ts";

/** A note and the head in it. */
interface SignedHead {
  readonly note: Note;
  readonly checkpoint: Checkpoint;
}

/** A note and the head in it; `null` for what is no note of a head. */
export function readHead(text: string): SignedHead | null {
  try {
    const note = parseNote(text);
    return { note, checkpoint: parseCheckpoint(note.text) };
  } catch (thrown) {
    if (thrown instanceof CmcpError) return null;
    throw thrown;
  }
}

/** RFC 7638 thumbprint of an instance's key, base64url. */
export async function instanceOf(crypto: VerifierCrypto, jwk: SigningJwk): Promise<string> {
  return toBase64Url(await sha256(crypto, thumbprintInput(jwk)));
}

/**
 * Whether a leaf is at a place of a log whose head one of these keys signed (RFC 9162 section 2.1.3.2, C2SP signed-note).
 *
 * @param leaf the leaf's bytes
 * @param signers keys of instances
 */
export async function isInLog(
  crypto: VerifierCrypto,
  leaf: Uint8Array<ArrayBuffer>,
  place: LogPlace,
  signers: readonly SigningJwk[],
): Promise<boolean> {
  const hashing = async (bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> => await sha256(crypto, bytes);
  const path = place.path.map((hash) => fromBase64Url(hash) ?? new Uint8Array());
  const head = readHead(place.note);
  if (head === null) return false;
  const { size, root } = head.checkpoint;
  const led = await rootFromPath(await hashing(leafInput(leaf)), { index: place.index, size, path }, hashing);
  if (led === undefined || !bytesEqual(led, root)) return false;
  for (const jwk of signers) if (await isSignedBy(crypto, head.note, jwk)) return true;
  return false;
}

async function isSignedBy(crypto: VerifierCrypto, note: Note, jwk: SigningJwk): Promise<boolean> {
  const publicKey = fromBase64Url(jwk.x);
  if (publicKey === undefined) return false;
  const name = instanceKeyName(await instanceOf(crypto, jwk));
  const type = SIGNATURE_TYPE.ed25519;
  const id = keyIdOf(await sha256(crypto, keyIdInput(name, type, publicKey)));
  const signatures = signaturesBy(note, { name, id, type, publicKey });
  const text = new TextEncoder().encode(note.text);
  for (const signature of signatures)
    if (!(await verifyEd25519(crypto, jwk.x, toBase64Url(signature), text))) return false;
  return signatures.length > 0;
}
