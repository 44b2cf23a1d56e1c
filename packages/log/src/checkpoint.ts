/**
 * Checkpoints (C2SP tlog-checkpoint): origin, size and root hash of a log, one a line, as the text of a note. Those of a
 * cMCP log have no extension lines, and their origin can be a key name.
 */
import { bytesEqual, CmcpError, fromBase64, fromHex, toBase64 } from "@cmcp/boundary";
import { isKeyName } from "./key.ts";
import { HASH_BYTES, isLogSize } from "./path.ts";

/** SHA-256 of no bytes: the root hash of the empty tree (RFC 9162 section 2.1.1). */
const EMPTY_ROOT = fromHex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") ?? new Uint8Array();

/** The head of a log. */
export interface Checkpoint {
  /** Which log it is; also the name of the log's key. */
  readonly origin: string;
  /** Number of leaves, at most `MAX_LOG_SIZE`. */
  readonly size: number;
  /** Root hash, 32 bytes. */
  readonly root: Uint8Array;
}

/** The text of a note for this head. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${toBase64(root)}\n`;
}

/**
 * Reads the text of a note as a checkpoint.
 *
 * @param text of a note that somebody else chose
 * @throws CmcpError `NOTE_MALFORMED` for another form, extension lines, or an empty tree with another root hash than it has
 */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = "", written = "", hash = "", end, ...more] = text.split("\n", 5);
  if (end !== "" || more.length > 0) throw malformed("it does not have three lines");
  if (!isKeyName(origin)) throw malformed("its origin cannot be a key name");
  const size = /^(?:0|[1-9][0-9]{0,14})$/.test(written) ? Number(written) : Number.NaN;
  if (!isLogSize(size)) throw malformed("its size is not a number of leaves");
  const root = fromBase64(hash);
  if (root?.length !== HASH_BYTES) throw malformed("its root hash is not 32 bytes of base64");
  if (size === 0 && !bytesEqual(root, EMPTY_ROOT)) throw malformed("its root hash is not that of the empty tree");
  return { origin, size, root };
}

function malformed(why: string): CmcpError {
  return new CmcpError("NOTE_MALFORMED", `not a checkpoint: ${why}`);
}
