import { toHex } from "@cmcp/boundary";

/** Text of a GUID as UEFI stores it: the first three fields little endian (UEFI specification, appendix A). */
export function guidText(bytes: Uint8Array): string {
  const swapped = Uint8Array.of(
    ...bytes.subarray(0, 4).toReversed(),
    ...bytes.subarray(4, 6).toReversed(),
    ...bytes.subarray(6, 8).toReversed(),
    ...bytes.subarray(8, 16),
  );
  const hex = toHex(swapped);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The 16 bytes UEFI stores for a GUID's text. */
export function guidBytes(text: string): Uint8Array {
  const hex = Buffer.from(text.replaceAll("-", ""), "hex");
  return Uint8Array.of(
    ...hex.subarray(0, 4).toReversed(),
    ...hex.subarray(4, 6).toReversed(),
    ...hex.subarray(6, 8).toReversed(),
    ...hex.subarray(8, 16),
  );
}
