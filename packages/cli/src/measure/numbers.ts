import { CmcpError, fromHex } from "@cmcp/boundary";

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** A whole number in decimal or, with 0x, hexadecimal. @throws CmcpError `USAGE` */
export function readInteger(text: string, option: string, max = Number.MAX_SAFE_INTEGER): number {
  const value = /^(0x[0-9a-fA-F]{1,14}|[0-9]{1,16})$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value > max)
    throw new CmcpError("USAGE", `${option} is a whole number, decimal or with 0x, at most ${max}`);
  return value;
}

/** A number of bytes, with K, M, G or T behind it for powers of 1024. @throws CmcpError `USAGE` */
export function readSize(text: string, option: string): number {
  const [, count = "", unit = ""] = /^([0-9]{1,16})([KMGT]?)$/.exec(text) ?? [];
  const bytes = count === "" ? Number.NaN : Number(count) * (UNITS[unit] ?? Number.NaN);
  if (!Number.isSafeInteger(bytes))
    throw new CmcpError("USAGE", `${option} is a number of bytes; K, M, G or T may follow`);
  return bytes;
}

/** A SHA-384 digest in hex. @throws CmcpError `USAGE` */
export function readSha384(text: string, option: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes?.length !== 48) throw new CmcpError("USAGE", `${option} takes SHA-384 digests of 96 hex digits`);
  return bytes;
}
