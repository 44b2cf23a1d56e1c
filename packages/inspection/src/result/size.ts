import type { JsonObject, JsonValue } from "@cmcp/boundary";

/** Bytes of a UTF-16 unit at most: six, as an escape. */
const UNIT_BYTES = 6;
/** Bytes of a number at most: sign, seventeen digits, point, and an exponent of five; or a literal. */
const SCALAR_BYTES = 25;
/** Bytes around and after a value: two quotation marks or brackets, and a comma or colon. */
const FRAME_BYTES = 3;

const encoder = new TextEncoder();

/** What JSON text of a value takes in UTF-8 at most, found without writing it; over `limit` it is no longer counted. */
function bytesAtMost(value: JsonValue, limit: number): number {
  if (typeof value === "string") return value.length * UNIT_BYTES + FRAME_BYTES;
  if (typeof value !== "object" || value === null) return SCALAR_BYTES + FRAME_BYTES;
  let bytes = FRAME_BYTES;
  if (Array.isArray(value)) {
    for (const item of value) {
      bytes += bytesAtMost(item, limit - bytes);
      if (bytes > limit) return bytes;
    }
    return bytes;
  }
  for (const [name, member] of Object.entries(value)) {
    bytes += name.length * UNIT_BYTES + FRAME_BYTES + bytesAtMost(member, limit - bytes);
    if (bytes > limit) return bytes;
  }
  return bytes;
}

/** True when a result's JSON text has more than `maxBytes` bytes of UTF-8. Most are far smaller, which is seen without writing them. */
export function isLarger(result: JsonObject, maxBytes: number): boolean {
  if (bytesAtMost(result, maxBytes) <= maxBytes) return false;
  const text = JSON.stringify(result);
  // A UTF-16 unit is one to three bytes of UTF-8, so most results need not be encoded to be measured.
  return text.length > maxBytes || (text.length * 3 > maxBytes && encoder.encode(text).byteLength > maxBytes);
}
