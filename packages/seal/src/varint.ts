import { CmcpError } from "@cmcp/boundary";

/** Largest number that is written: what a number of JavaScript holds exactly. */
const MAX = Number.MAX_SAFE_INTEGER;

/** A variable-length integer (RFC 9000 section 16) in its shortest form. @throws CmcpError `USAGE` for what has none */
export function varint(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > MAX)
    throw new CmcpError("USAGE", `no length is written as ${value}`);
  const width = value < 0x40 ? 0 : value < 0x4000 ? 1 : value < 0x4000_0000 ? 2 : 3;
  const bytes = new Uint8Array(1 << width);
  let left = value;
  for (let at = bytes.length - 1; at >= 0; at -= 1) {
    bytes[at] = left % 256;
    left = Math.floor(left / 256);
  }
  bytes[0] = (bytes[0] ?? 0) | (width << 6);
  return bytes;
}
