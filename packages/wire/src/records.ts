import { ByteReader, CmcpError, examine, untrusted, type Untrusted } from "@cmcp/boundary";
import { MAX_IDENTIFIER } from "./limits.ts";

/** One record of the log: its leaf, and the body beside it. */
export interface WireRecord {
  readonly session: string;
  readonly kind: string;
  /** The bytes that the log's tree is hashed over. */
  readonly leaf: Uint8Array;
  readonly body: Uint8Array;
}

/** A batch of records as it is appended, and the note signed over the log that ends with them. */
export interface WireBatch {
  readonly note: string;
  readonly records: readonly WireRecord[];
}

/** A record as the host shows it: nothing of it is known to be what was appended. */
export interface ShownRecord {
  readonly index: number;
  readonly kind: string;
  readonly leaf: Untrusted<Uint8Array>;
  readonly body: Untrusted<Uint8Array>;
}

/** Most records of one `append` body. */
export const MAX_APPENDED_RECORDS = 256;
/** Largest leaf in bytes. */
export const MAX_LEAF_BYTES = 4096;
/** Largest note in bytes. */
export const MAX_NOTE_BYTES = 4096;

const IDENTIFIER = /^[A-Za-z0-9._:-]+$/;
/** Bytes of an index. */
const INDEX_BYTES = 6;

function identifierBytes(text: string): Buffer {
  if (text.length > MAX_IDENTIFIER || !IDENTIFIER.test(text))
    throw new CmcpError("WIRE_MALFORMED", "a record's session or kind is not an identifier");
  return Buffer.from(text, "latin1");
}

/** A text with its length in one byte. */
function prefixed(text: string): Buffer {
  const bytes = identifierBytes(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

/** `u16be length ‖ leaf ‖ u32be length ‖ body`. */
function pairParts(leaf: Uint8Array, body: Uint8Array): Uint8Array[] {
  requireAtMost(leaf.length, MAX_LEAF_BYTES, "a leaf");
  const leafLength = Buffer.allocUnsafe(2);
  leafLength.writeUInt16BE(leaf.length);
  const bodyLength = Buffer.allocUnsafe(4);
  bodyLength.writeUInt32BE(body.length);
  return [leafLength, leaf, bodyLength, body];
}

/**
 * Body of an `append` exchange: `u16be length ‖ note`, then for each record `u8 length ‖ kind ‖ u8 length ‖ session ‖ u16be length ‖ leaf ‖
 * u32be length ‖ body`.
 * @throws CmcpError `WIRE_MALFORMED`
 */
export function encodeBatch({ note, records }: WireBatch): Uint8Array {
  if (records.length === 0 || records.length > MAX_APPENDED_RECORDS)
    throw new CmcpError("WIRE_MALFORMED", `1 to ${MAX_APPENDED_RECORDS} records are appended at once`);
  const noteBytes = Buffer.from(note);
  requireAtMost(noteBytes.length, MAX_NOTE_BYTES, "a note");
  const noteLength = Buffer.allocUnsafe(2);
  noteLength.writeUInt16BE(noteBytes.length);
  const parts: Uint8Array[] = [noteLength, noteBytes];
  for (const { session, kind, leaf, body } of records)
    parts.push(prefixed(kind), prefixed(session), ...pairParts(leaf, body));
  return Buffer.concat(parts);
}

const reading = (bytes: Uint8Array): ByteReader => new ByteReader(bytes, "a record", "big", "WIRE_TRUNCATED");

function readIdentifier(reader: ByteReader): string {
  const text = Buffer.from(reader.take(reader.u8())).toString("latin1");
  if (text.length > MAX_IDENTIFIER || !IDENTIFIER.test(text))
    throw new CmcpError("WIRE_MALFORMED", "a record's session or kind is not an identifier");
  return text;
}

function readLeaf(reader: ByteReader): Uint8Array {
  return reader.take(requireAtMost(reader.u16(), MAX_LEAF_BYTES, "a leaf"));
}

function readBody(reader: ByteReader, maxBytes: number): Uint8Array {
  return reader.take(requireAtMost(reader.u32(), maxBytes, "a record's body"));
}

function requireAtMost(length: number, most: number, what: string): number {
  if (length > most) throw new CmcpError("WIRE_MALFORMED", `${what} has at most ${most} bytes`);
  return length;
}

/** Reads {@link encodeBatch} back; leaves and bodies are views. @throws CmcpError `WIRE_MALFORMED`, `WIRE_TRUNCATED` */
export function decodeBatch(input: Untrusted<Uint8Array>): WireBatch {
  const reader = reading(examine(input));
  const noteBytes = Buffer.from(reader.take(requireAtMost(reader.u16(), MAX_NOTE_BYTES, "a note")));
  const note = noteBytes.toString();
  if (!Buffer.from(note).equals(noteBytes)) throw new CmcpError("WIRE_MALFORMED", "a note is not UTF-8");
  const records: WireRecord[] = [];
  while (reader.remaining > 0) {
    if (records.length >= MAX_APPENDED_RECORDS)
      throw new CmcpError("WIRE_MALFORMED", `more than ${MAX_APPENDED_RECORDS} records in one body`);
    const kind = readIdentifier(reader);
    const session = readIdentifier(reader);
    records.push({ kind, session, leaf: readLeaf(reader), body: readBody(reader, Number.MAX_SAFE_INTEGER) });
  }
  if (records.length === 0) throw new CmcpError("WIRE_MALFORMED", "an append body holds no record");
  return { note, records };
}

/** A piece of a `scan`'s answer: for each record `u48be index ‖ u8 length ‖ kind ‖ u16be length ‖ leaf ‖ u32be length ‖ body`. */
export function encodeScanned(
  records: readonly (Omit<WireRecord, "session"> & { readonly index: number })[],
): Uint8Array {
  return Buffer.concat(
    records.flatMap(({ index, kind, leaf, body }) => {
      const place = Buffer.allocUnsafe(INDEX_BYTES);
      place.writeUIntBE(index, 0, INDEX_BYTES);
      return [place, prefixed(kind), ...pairParts(leaf, body)];
    }),
  );
}

/**
 * Reads a `scan`'s answer record by record.
 * @param maxBody largest body in bytes
 * @throws CmcpError `WIRE_MALFORMED`, `WIRE_TRUNCATED`
 */
export async function* decodeScanned(
  body: AsyncIterable<Untrusted<Uint8Array>>,
  maxBody: number,
): AsyncGenerator<ShownRecord> {
  let held = Buffer.alloc(0);
  for await (const chunk of body) {
    held = held.length === 0 ? Buffer.from(examine(chunk)) : Buffer.concat([held, examine(chunk)]);
    let read = 0;
    for (
      let length = recordLength(held, maxBody);
      length !== null;
      length = recordLength(held.subarray(read), maxBody)
    ) {
      const reader = reading(new Uint8Array(held.subarray(read, read + length)));
      const index = reader.u16() * 2 ** 32 + reader.u32();
      const kind = readIdentifier(reader);
      yield { index, kind, leaf: untrusted(readLeaf(reader)), body: untrusted(readBody(reader, maxBody)) };
      read += length;
    }
    held = held.subarray(read);
  }
  if (held.length > 0) throw new CmcpError("WIRE_TRUNCATED", "the last record of a scan is cut");
}

/** Bytes of the first record; `null` while it is not whole. @throws CmcpError `WIRE_MALFORMED` for lengths over the limits */
function recordLength(bytes: Buffer, maxBody: number): number | null {
  if (bytes.length <= INDEX_BYTES) return null;
  const leafAt = INDEX_BYTES + 1 + bytes.readUInt8(INDEX_BYTES);
  if (bytes.length < leafAt + 2) return null;
  const bodyAt = leafAt + 2 + requireAtMost(bytes.readUInt16BE(leafAt), MAX_LEAF_BYTES, "a leaf");
  if (bytes.length < bodyAt + 4) return null;
  const length = bodyAt + 4 + requireAtMost(bytes.readUInt32BE(bodyAt), maxBody, "a record's body");
  return bytes.length < length ? null : length;
}
