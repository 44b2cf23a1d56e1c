/**
 * Signature algorithms a configuration may allow (RFC 7518 section 3.1, RFC 8037 section 3.1). Never `none`, never a
 * shared secret.
 */
export const ALGORITHMS = ["EdDSA", "ES256", "ES384", "RS256", "PS256"] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** A public key as far as its kind decides what it can sign with. */
export interface KeyKind {
  readonly kty: "OKP" | "EC" | "RSA";
  readonly crv?: string | undefined;
}

const BY_CURVE: Readonly<Record<string, Algorithm>> = { Ed25519: "EdDSA", "P-256": "ES256", "P-384": "ES384" };

/** The algorithms a kind of key can be used with. */
export function algorithmsOf({ kty, crv }: KeyKind): readonly Algorithm[] {
  if (kty === "RSA") return ["RS256", "PS256"];
  const only = BY_CURVE[crv ?? ""];
  return only === undefined ? [] : [only];
}
