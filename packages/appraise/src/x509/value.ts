import { CmcpError } from "@cmcp/boundary";
import { DerReader, TAG, type DerElement } from "./der.ts";

function malformed(problem: string): CmcpError {
  return new CmcpError("EVIDENCE_MALFORMED", problem);
}

/** Content bytes of an INTEGER, two's complement and shortest (X.690 8.3.2). */
export function integerBytes(reader: DerReader, tag: number = TAG.integer): Uint8Array {
  const { content } = reader.next(tag);
  const [first, second] = content;
  if (first === undefined) throw reader.malformed("has an integer of no bytes");
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)))
    throw reader.malformed("has an integer that is not the shortest");
  return content;
}

/** A non-negative INTEGER or ENUMERATED of at most 48 bits. */
export function smallInteger(reader: DerReader, tag: number = TAG.integer): number {
  const bytes = integerBytes(reader, tag);
  if ((bytes[0] ?? 0) >= 0x80 || bytes.length > 6) throw reader.malformed("has an integer out of range");
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

/** A BOOLEAN; DER writes true as 0xff (X.690 11.1). */
export function booleanValue(element: DerElement): boolean {
  const [byte] = element.content;
  if (element.content.length !== 1 || (byte !== 0 && byte !== 0xff)) throw malformed("a boolean is neither 00 nor ff");
  return byte === 0xff;
}

const MAX_OID_BYTES = 32;

/** Dotted text of an OBJECT IDENTIFIER (X.690 8.19). */
export function oidText(content: Uint8Array): string {
  if (content.length === 0 || content.length > MAX_OID_BYTES)
    throw malformed("an object identifier is empty or too long");
  const arcs: number[] = [];
  let arc = 0;
  let started = false;
  for (const byte of content) {
    if (!started && byte === 0x80) throw malformed("an object identifier is not the shortest");
    if (arc > 2 ** 40) throw malformed("an object identifier has an arc out of range");
    arc = arc * 128 + (byte & 0x7f);
    started = byte >= 0x80;
    if (!started) {
      if (arcs.length === 0) {
        const top = Math.min(2, Math.floor(arc / 40));
        arcs.push(top);
        arc -= 40 * top;
      }
      arcs.push(arc);
      arc = 0;
    }
  }
  if (started) throw malformed("an object identifier is truncated");
  return arcs.join(".");
}

/** Bytes of a BIT STRING that is a whole number of bytes, as keys and signatures are. */
export function bitStringBytes(element: DerElement): Uint8Array {
  if (element.content[0] !== 0) throw malformed("a bit string does not end on a byte");
  return element.content.subarray(1);
}

const DIGITS = {
  [TAG.utcTime]: /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/,
  [TAG.generalizedTime]: /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/,
} as const;

/** UTCTime or GeneralizedTime in the one form RFC 5280 section 4.1.2.5 allows. */
export function timeValue(element: DerElement): Date {
  const { tag, content } = element;
  if (tag !== TAG.utcTime && tag !== TAG.generalizedTime) throw malformed("a time has another type");
  const parts = content.length > 15 ? null : DIGITS[tag].exec(String.fromCharCode(...content));
  if (parts === null) throw malformed("a time is not in the form certificates use");
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1).map(Number);
  const century = tag === TAG.generalizedTime ? 0 : year < 50 ? 2000 : 1900;
  const time = new Date(Date.UTC(century + year, month - 1, day, hour, minute, second));
  // Date.UTC takes the 31st of a month with 30 days for the 1st of the next.
  if (time.getUTCMonth() !== month - 1 || time.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59)
    throw malformed("a time is not a date of the calendar");
  return time;
}
