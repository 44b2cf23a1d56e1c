import { isZero } from "@cmcp/boundary";
import { DerReader, TAG } from "./der.ts";

/**
 * The outer SEQUENCE of DER that stands in a place larger than itself, as an NV index of a TPM is: zeros behind it are
 * the place's. Anything else is given back as it is, for its own reader to refuse.
 */
export function withoutZeroPadding(der: Uint8Array): Uint8Array {
  try {
    const { whole } = new DerReader(der, "DER").next(TAG.sequence);
    return isZero(der.subarray(whole.length)) ? whole : der;
  } catch {
    // No whole sequence begins it.
    return der;
  }
}
