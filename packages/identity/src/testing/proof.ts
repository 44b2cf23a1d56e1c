/** DPoP proofs, right and wrong, signed by Node's crypto alone. */
import { hash } from "node:crypto";
import { AUDIENCE, testKey, token, type TestKey } from "./issuer.ts";

/** The key that tokens of the tests are bound to. */
export const SENDER = testKey("ES256", "");

/** The public members of a key alone, as proofs carry them. */
export function bareJwk({ publicKey }: TestKey): Record<string, unknown> {
  return { ...publicKey.export({ format: "jwk" }) };
}

/** What a test changes of a good proof. */
export interface ProofChanges {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly key?: TestKey;
}

let count = 0;

/** A proof for `POST` to the resource of the tests. */
export function proof(accessToken: string, nonce: string, { claims, header, key = SENDER }: ProofChanges = {}): string {
  count += 1;
  const good = {
    jti: `proof-${count}`,
    htm: "POST",
    htu: AUDIENCE,
    iat: 0,
    ath: hash("sha256", accessToken, "base64url"),
    nonce,
  };
  return token(key, { ...good, ...claims }, { typ: "dpop+jwt", kid: undefined, jwk: bareJwk(key), ...header });
}
