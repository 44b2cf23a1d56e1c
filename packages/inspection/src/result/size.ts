import type { JsonObject, JsonValue } from "@cmcp/boundary";

/** Bytes of a UTF-16 unit at most: six, as an escape. */
const UNIT_BYTES = 6;
/** Bytes of a number at most: sign, seventeen digits, point, and an exponent of five; or a literal. */
const SCALAR_BYTES = 25;
/** Bytes around and after a value: two quotation marks or brackets, and a comma or colon. */
const FRAME_BYTES = 3;

const encoder = new TextEncoder();

/** What JSON text of a value takes in UTF-8 at most, found without writing it. */
function bytesAtMost(value: JsonValue): number {
  if (typeof value === "string") return value.length * UNIT_BYTES + FRAME_BYTES;
  if (typeof value !== "object" || value === null) return SCALAR_BYTES + FRAME_BYTES;
  let bytes = FRAME_BYTES;
  if (Array.isArray(value)) {
    for (const item of value) bytes += bytesAtMost(item);
    return bytes;
  }
  for (const [name, member] of Object.entries(value))
    bytes += name.length * UNIT_BYTES + FRAME_BYTES + bytesAtMost(member);
  return bytes;
}

/** True when a result's JSON text has more than `maxBytes` bytes of UTF-8. Most are far smaller, which is seen without writing them. */
export function isLarger(result: JsonObject, maxBytes: number): boolean {
  if (bytesAtMost(result) <= maxBytes) return false;
  return encoder.encode(JSON.stringify(result)).byteLength > maxBytes;
}
