import { isZero } from "@cmcp/boundary";
import { DerReader, TAG } from "./der.ts";

/**
 * DER without the zeros that fill up a larger NV index of a TPM. Bytes that are not a SEQUENCE followed by zeros are
 * returned unchanged, and their parser refuses them.
 */
export function withoutZeroPadding(der: Uint8Array): Uint8Array {
  try {
    const { whole } = new DerReader(der, "DER").next(TAG.sequence);
    return isZero(der.subarray(whole.length)) ? whole : der;
  } catch {
    // It does not begin with a whole sequence.
    return der;
  }
}
