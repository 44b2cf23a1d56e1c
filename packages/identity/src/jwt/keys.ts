import { CmcpError } from "@cmcp/boundary";
import { importJWK, type CryptoKey } from "jose";
import { algorithmsOf, type Algorithm } from "./algorithms.ts";
import { tokenFault } from "./fault.ts";
import type { JwtHeader } from "./header.ts";
import type { Jwk } from "./jwk.ts";

interface Key {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly key: CryptoKey;
}

async function importKey(jwk: Jwk, allowed: readonly Algorithm[], issuer: string): Promise<Key> {
  const algorithm = jwk.alg ?? algorithmsOf(jwk).find((one) => allowed.includes(one));
  const { kid, kty } = jwk;
  const material =
    kty === "RSA"
      ? { kty, n: jwk.n, e: jwk.e }
      : kty === "OKP"
        ? { kty, crv: jwk.crv, x: jwk.x }
        : { kty, crv: jwk.crv, x: jwk.x, y: jwk.y };
  try {
    const key = await importJWK(material, algorithm);
    if (algorithm !== undefined && !(key instanceof Uint8Array)) return { kid, algorithm, key };
  } catch {
    // A point that is not on its curve, for one. The configuration is to be corrected whatever it is.
  }
  throw new CmcpError("CONFIG_INVALID", `enclave.identity.jwt: key ${kid} of ${issuer} is not a public key`);
}

/** The public keys of one issuer, each for one algorithm. */
export class KeyRing {
  readonly #keys: readonly Key[];

  private constructor(keys: readonly Key[]) {
    this.#keys = keys;
  }

  /** @throws CmcpError `CONFIG_INVALID` for a key that is none */
  static async of(jwks: readonly Jwk[], allowed: readonly Algorithm[], issuer: string): Promise<KeyRing> {
    return new KeyRing(await Promise.all(jwks.map((jwk) => importKey(jwk, allowed, issuer))));
  }

  /**
   * The one key a token can be signed with: the one it names, or, where it names none, the only one for its algorithm.
   * @throws CmcpError `UNAUTHENTICATED`, reason `key`
   */
  select({ alg, kid }: JwtHeader): CryptoKey {
    const [only, ...others] = this.#keys.filter((key) => key.algorithm === alg && (kid === null || key.kid === kid));
    if (only === undefined || others.length > 0) throw tokenFault("key");
    return only.key;
  }
}
