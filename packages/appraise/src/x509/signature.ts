import { keyKind, type SignatureAlgorithm } from "./algorithm.ts";
import { DerReader, TAG } from "./der.ts";
import { integerBytes } from "./value.ts";
import type { VerifierCrypto } from "../checks/crypto.ts";

/** Something signed the X.509 way: the signed bytes, the signature's bytes and its algorithm. */
export interface Signed {
  readonly tbs: Uint8Array;
  readonly signature: Uint8Array;
  readonly algorithm: SignatureAlgorithm;
}

/** An ECDSA public key's field size in bytes. */
const FIELD_BYTES = { "P-256": 32, "P-384": 48 } as const;

/**
 * ECDSA-Sig-Value (RFC 3279 section 2.2.3) as r ‖ s of fixed width, the form WebCrypto takes; `undefined` when it
 * is not strict DER or a number does not fit.
 */
export function ecdsaSignature(der: Uint8Array, curve: keyof typeof FIELD_BYTES): Uint8Array<ArrayBuffer> | undefined {
  const width = FIELD_BYTES[curve];
  const joined = new Uint8Array(2 * width);
  try {
    const outer = new DerReader(der, "an ECDSA signature");
    const numbers = outer.enter(TAG.sequence);
    outer.end();
    for (const end of [width, 2 * width]) {
      const bytes = integerBytes(numbers);
      const magnitude = bytes[0] === 0 ? bytes.subarray(1) : bytes;
      if ((bytes[0] ?? 0) >= 0x80 || magnitude.length > width) return undefined;
      joined.set(magnitude, end - magnitude.length);
    }
    numbers.end();
    return joined;
  } catch {
    // A malformed signature does not verify.
    return undefined;
  }
}

/**
 * Verifies a certificate's or list's signature under an issuer's key: RSA-PSS, RSA PKCS#1 v1.5 or ECDSA over P-256
 * or P-384, with SHA-256 or stronger. False for everything else; never throws.
 */
export async function verifySignedBy(crypto: VerifierCrypto, signed: Signed, issuerSpki: Uint8Array): Promise<boolean> {
  try {
    const { algorithm } = signed;
    if (algorithm.kind === "unsupported") return false;
    const key = keyKind(issuerSpki);
    if (algorithm.kind === "ecdsa") {
      const signature = key.kind === "ec" ? ecdsaSignature(signed.signature, key.curve) : undefined;
      if (key.kind !== "ec" || signature === undefined) return false;
      const imported = await crypto.subtle.importKey(
        "spki",
        Uint8Array.from(issuerSpki),
        { name: "ECDSA", namedCurve: key.curve },
        false,
        ["verify"],
      );
      return await crypto.subtle.verify(
        { name: "ECDSA", hash: algorithm.hash },
        imported,
        signature,
        Uint8Array.from(signed.tbs),
      );
    }
    if (key.kind !== "rsa") return false;
    const scheme =
      algorithm.kind === "rsa-pss"
        ? { name: "RSA-PSS", saltLength: algorithm.saltLength }
        : { name: "RSASSA-PKCS1-v1_5" };
    const imported = await crypto.subtle.importKey(
      "spki",
      Uint8Array.from(issuerSpki),
      { name: scheme.name, hash: algorithm.hash },
      false,
      ["verify"],
    );
    return await crypto.subtle.verify(scheme, imported, Uint8Array.from(signed.signature), Uint8Array.from(signed.tbs));
  } catch {
    // WebCrypto throws for keys it cannot import; nothing verifies under those.
    return false;
  }
}
