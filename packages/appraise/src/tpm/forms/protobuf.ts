import { ByteReader, CmcpError } from "@cmcp/boundary";

/** One field of a message: its number, and a number or bytes as it was written. */
export interface ProtobufField {
  readonly number: number;
  readonly value: number | Uint8Array;
}

/** Most fields of one message. */
const MAX_FIELDS = 256;
/** Wire types (Protocol Buffers encoding, message structure). */
const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/** Splits a message into its fields, one level deep. Throws `EVIDENCE_MALFORMED`. */
export function protobufFields(bytes: Uint8Array, what: string): readonly ProtobufField[] {
  const reader = new ByteReader(bytes, what, "little");
  const fields: ProtobufField[] = [];
  while (reader.remaining > 0) {
    if (fields.length === MAX_FIELDS)
      throw new CmcpError("EVIDENCE_MALFORMED", `${what} has more than ${MAX_FIELDS} fields`);
    const key = varint(reader, what);
    fields.push({ number: Math.floor(key / 8), value: readValue(reader, key % 8, what) });
  }
  return fields;
}

function readValue(reader: ByteReader, type: number, what: string): number | Uint8Array {
  if (type === VARINT) return varint(reader, what);
  if (type === LENGTH_DELIMITED) return reader.take(varint(reader, what));
  if (type === FIXED32) return reader.take(4);
  if (type === FIXED64) return reader.take(8);
  throw new CmcpError("EVIDENCE_MALFORMED", `${what} has a field of unknown type`);
}

/** A base-128 number; beyond 2^53 no field here has a meaning, and what is lost of it does not matter. */
function varint(reader: ByteReader, what: string): number {
  let value = 0;
  for (let index = 0; index < 10; index += 1) {
    const byte = reader.u8();
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value;
  }
  throw new CmcpError("EVIDENCE_MALFORMED", `${what} has a number of more than 10 bytes`);
}
