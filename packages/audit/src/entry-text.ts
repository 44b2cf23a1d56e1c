/** An entry as it stands in its record: what it says, and its hash, without writing it anew. */
import { hash } from "node:crypto";
import { CmcpError, examine, parseJsonText, type JsonObject, type Untrusted } from "@cmcp/boundary";
import { BODY_LIMITS } from "./journal.ts";
import { MAX_RECORD_BYTES } from "./leaf.ts";

/**
 * An entry that hashes to what it says it does. It is what was written where its chain ends in a known hash; until then
 * nothing of it is checked.
 */
export interface HashedEntry extends JsonObject {
  readonly entry_hash: string;
}

/**
 * Reads an entry from the body of its record.
 * @throws CmcpError `AUDIT_STORE_MISMATCH` for what is no such entry
 */
export function hashedEntry(body: Untrusted<Uint8Array>): HashedEntry {
  const bytes = examine(body);
  try {
    if (bytes.byteLength <= MAX_RECORD_BYTES) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
      const entry = parseJsonText(text, BODY_LIMITS);
      if (isHashed(entry) && hash("sha256", withoutHash(text, entry.entry_hash)) === entry.entry_hash) return entry;
    }
  } catch (thrown) {
    throw new CmcpError("AUDIT_STORE_MISMATCH", "a stored entry is not strict JSON", { cause: thrown });
  }
  throw new CmcpError("AUDIT_STORE_MISMATCH", "a stored record is not an entry with the hash it names");
}

/** An entry's text without the hash it names, which is what is hashed where the text is as it was written. */
function withoutHash(text: string, named: string): string {
  return text.replace(`"entry_hash":"${named}",`, "");
}

function isHashed(value: unknown): value is HashedEntry {
  return typeof value === "object" && value !== null && "entry_hash" in value && typeof value.entry_hash === "string";
}
