import { sha256, type VerifierCrypto } from "@cmcp/appraise";
import type { SigningJwk } from "@cmcp/appraise/evidence";
import type { LogPlace } from "@cmcp/audit/schema";
import { bytesEqual, CmcpError, fromBase64Url } from "@cmcp/boundary";
import { leafInput, parseCheckpoint, parseNote, rootFromPath, type Checkpoint, type Note } from "@cmcp/log/format";
import { isSignedByInstance } from "../log/instance-key.ts";

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
  for (const jwk of signers) if (await isSignedByInstance(crypto, head.note, jwk)) return true;
  return false;
}
