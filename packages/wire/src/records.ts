import { CmcpError, examine, type Untrusted } from "@cmcp/boundary";
import { MAX_IDENTIFIER } from "./limits.ts";

/** One record of an `append` body. */
export interface WireRecord {
  readonly session: string;
  readonly kind: string;
  readonly bytes: Uint8Array;
}

/** Most records of one `append` body. */
export const MAX_APPENDED_RECORDS = 256;

const IDENTIFIER = /^[A-Za-z0-9._:-]+$/;

function identifierBytes(text: string): Buffer {
  if (text.length > MAX_IDENTIFIER || !IDENTIFIER.test(text))
    throw new CmcpError("WIRE_MALFORMED", "a record's session or kind is not an identifier");
  return Buffer.from(text, "latin1");
}

/**
 * Body of an `append` exchange: for each record `u8 length ‖ kind ‖ u8 length ‖ session ‖ u32be length ‖ bytes`.
 * @throws CmcpError `WIRE_MALFORMED`
 */
export function encodeRecords(records: readonly WireRecord[]): Uint8Array {
  if (records.length === 0 || records.length > MAX_APPENDED_RECORDS)
    throw new CmcpError("WIRE_MALFORMED", `1 to ${MAX_APPENDED_RECORDS} records are appended at once`);
  const parts: Uint8Array[] = [];
  for (const { session, kind, bytes } of records) {
    const [kindBytes, sessionBytes] = [identifierBytes(kind), identifierBytes(session)];
    const head = Buffer.allocUnsafe(2 + kindBytes.length + sessionBytes.length + 4);
    let at = head.writeUInt8(kindBytes.length, 0);
    at += kindBytes.copy(head, at);
    at = head.writeUInt8(sessionBytes.length, at);
    at += sessionBytes.copy(head, at);
    head.writeUInt32BE(bytes.length, at);
    parts.push(head, bytes);
  }
  return Buffer.concat(parts);
}

/** Reads {@link encodeRecords} back; `bytes` are views. @throws CmcpError `WIRE_MALFORMED`, `WIRE_TRUNCATED` */
export function decodeRecords(input: Untrusted<Uint8Array>): WireRecord[] {
  const given = examine(input);
  const body = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
  let at = 0;
  const take = (length: number): Buffer => {
    if (length > body.length - at) throw new CmcpError("WIRE_TRUNCATED", "a record is longer than the body");
    at += length;
    return body.subarray(at - length, at);
  };
  const identifier = (): string => {
    const text = take(take(1).readUInt8()).toString("latin1");
    if (text.length > MAX_IDENTIFIER || !IDENTIFIER.test(text))
      throw new CmcpError("WIRE_MALFORMED", "a record's session or kind is not an identifier");
    return text;
  };
  const records: WireRecord[] = [];
  while (at < body.length) {
    if (records.length >= MAX_APPENDED_RECORDS)
      throw new CmcpError("WIRE_MALFORMED", `more than ${MAX_APPENDED_RECORDS} records in one body`);
    const kind = identifier();
    const session = identifier();
    records.push({ kind, session, bytes: take(take(4).readUInt32BE()) });
  }
  if (records.length === 0) throw new CmcpError("WIRE_MALFORMED", "an append body holds no record");
  return records;
}
