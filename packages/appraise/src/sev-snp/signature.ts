import type { VerifierCrypto } from "../checks/crypto.ts";
import { isZero } from "@cmcp/boundary";
import type { ParsedSnpReport } from "./report.ts";

/** ECDSA over P-384 with SHA-384, the one algorithm of the interface (AMD 56860 table 139). */
const ECDSA_P384_SHA384 = 1;

/** Each number of a signature has 72 bytes, little endian, of which P-384 fills 48 (AMD 56860 chapter 10). */
const NUMBER_BYTES = 72;
const P384_BYTES = 48;

/** Order of P-384's group (FIPS 186-5, SP 800-186 section 3.2.1.4). */
const P384_ORDER = 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n;

/** r ‖ s as WebCrypto takes it, or why the field is no signature. */
export function readSignature({
  unverified,
  signature,
}: ParsedSnpReport): Uint8Array<ArrayBuffer> | { readonly problem: string } {
  if (unverified.signatureAlgorithm !== ECDSA_P384_SHA384)
    return { problem: `signature algorithm ${unverified.signatureAlgorithm} is not ECDSA P-384 with SHA-384` };
  if (!isZero(signature.subarray(2 * NUMBER_BYTES))) return { problem: "bytes behind the signature are not zero" };
  const joined = new Uint8Array(2 * P384_BYTES);
  for (const index of [0, 1]) {
    const field = signature.subarray(index * NUMBER_BYTES, (index + 1) * NUMBER_BYTES);
    if (!isZero(field.subarray(P384_BYTES)))
      return { problem: "a number of the signature is longer than P-384 allows" };
    const bytes = field.subarray(0, P384_BYTES).toReversed();
    const number = bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
    if (number === 0n || number >= P384_ORDER)
      return { problem: "a number of the signature is zero or not below the order of the curve" };
    joined.set(bytes, index * P384_BYTES);
  }
  return joined;
}

/** True when the key made the signature over the report's signed bytes. */
export async function verifyReportSignature(
  crypto: VerifierCrypto,
  spki: Uint8Array,
  signed: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  try {
    const key = await crypto.subtle.importKey(
      "spki",
      Uint8Array.from(spki),
      { name: "ECDSA", namedCurve: "P-384" },
      false,
      ["verify"],
    );
    return await crypto.subtle.verify(
      { name: "ECDSA", hash: "SHA-384" },
      key,
      Uint8Array.from(signature),
      Uint8Array.from(signed),
    );
  } catch {
    // WebCrypto throws for a point that is not on the curve; nothing verifies under it.
    return false;
  }
}
