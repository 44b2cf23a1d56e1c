/**
 * An entry as it stands in the canonical JSON of its journal record: what it says, and its hash, without writing it
 * anew.
 */
import { hash } from "node:crypto";
import { CmcpError, examine, parseJsonText, type JsonObject, type Untrusted } from "@cmcp/boundary";
import { MAX_RECORD_BYTES, RECORD_LIMITS } from "./journal.ts";

/** How an entry's record begins; the entry ends where its receipt follows. */
const ENTRY = '{"body":{"entry":';
const RECEIPT = ',"receipt":';

/** The text of a record, or `null` for one that is too large. Nothing of its form is checked. */
function recordText(bytes: Untrusted<Uint8Array>): string | null {
  const raw = examine(bytes);
  return raw.byteLength > MAX_RECORD_BYTES ? null : Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString();
}

/**
 * The text of the entry in a record's text, `null` where it is no entry's. Whatever else the record says is no part of
 * it.
 */
function entryTextOf(record: string): string | null {
  return record.startsWith(ENTRY) ? record.slice(ENTRY.length, record.lastIndexOf(RECEIPT)) : null;
}

/**
 * SHA-256 of an entry's text without the hash it names, in lowercase hex: that hash, where the text is as it was
 * written.
 */
function entryTextHash(entry: string, named: string): string {
  return hash("sha256", entry.replace(`"entry_hash":"${named}",`, ""));
}

/**
 * An entry that hashes to what it says it does. It is what was written where its chain ends in a known hash; until then
 * nothing of it is checked.
 */
export interface HashedEntry extends JsonObject {
  readonly entry_hash: string;
}

/** @throws CmcpError `AUDIT_STORE_MISMATCH` for what is no such entry */
export function hashedEntry(bytes: Untrusted<Uint8Array>): HashedEntry {
  const record = recordText(bytes);
  const text = record === null ? null : entryTextOf(record);
  try {
    const entry = text === null ? null : parseJsonText(text, RECORD_LIMITS);
    if (text !== null && isHashed(entry) && entryTextHash(text, entry.entry_hash) === entry.entry_hash) return entry;
  } catch (thrown) {
    throw new CmcpError("AUDIT_STORE_MISMATCH", "a stored entry is not strict JSON", { cause: thrown });
  }
  throw new CmcpError("AUDIT_STORE_MISMATCH", "a stored record is not an entry with the hash it names");
}

function isHashed(value: unknown): value is HashedEntry {
  return typeof value === "object" && value !== null && "entry_hash" in value && typeof value.entry_hash === "string";
}
