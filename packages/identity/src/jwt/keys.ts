import { CmcpError } from "@cmcp/boundary";
import { importJWK, type CryptoKey } from "jose";
import { algorithmsOf, type Algorithm } from "./algorithms.ts";
import { tokenFault } from "./fault.ts";
import type { JwtHeader } from "./header.ts";
import { publicKeySchema, type Jwk, type PublicKey } from "./jwk.ts";

/** A key that tokens may be signed with, for one algorithm. */
export interface Key {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly key: CryptoKey;
}

/** What a key is made of. */
interface KeyParts {
  readonly kid: string;
  readonly material: PublicKey;
  readonly algorithm: Algorithm;
}

/** A key of a JWK; `null` for what is no key, such as a point that is not on its curve. */
export async function importKey({ kid, material, algorithm }: KeyParts): Promise<Key | null> {
  try {
    const key = await importJWK(material, algorithm);
    return key instanceof Uint8Array ? null : { kid, algorithm, key };
  } catch {
    return null;
  }
}

async function importMeasured(jwk: Jwk, allowed: readonly Algorithm[], issuer: string): Promise<Key> {
  const algorithm = jwk.alg ?? algorithmsOf(jwk).find((one) => allowed.includes(one));
  const { kid } = jwk;
  const key =
    algorithm === undefined ? null : await importKey({ kid, material: publicKeySchema.parse(jwk), algorithm });
  if (key !== null) return key;
  throw new CmcpError("CONFIG_INVALID", `enclave.identity.jwt: key ${kid} of ${issuer} is not a public key`);
}

/** The key that verified a token, and which set it is of. */
export interface SelectedKey {
  readonly key: CryptoKey;
  /** `sha256:` hash of the fetched set; `null` for keys of the configuration. */
  readonly keySet: string | null;
}

/** Where an issuer's keys come from. */
export interface IssuerKeys {
  /**
   * The one key that a token can be signed with.
   * @throws CmcpError `UNAUTHENTICATED`, reason `key`; `ISSUER_KEYS_UNAVAILABLE`
   */
  select(header: JwtHeader): SelectedKey | Promise<SelectedKey>;
}

/** The public keys of one issuer, each for one algorithm. */
export class KeyRing {
  readonly #keys: readonly Key[];

  constructor(keys: readonly Key[]) {
    this.#keys = keys;
  }

  /** @throws CmcpError `CONFIG_INVALID` for a key that is not valid */
  static async of(jwks: readonly Jwk[], allowed: readonly Algorithm[], issuer: string): Promise<KeyRing> {
    return new KeyRing(await Promise.all(jwks.map((jwk) => importMeasured(jwk, allowed, issuer))));
  }

  /** Number of keys. */
  get size(): number {
    return this.#keys.length;
  }

  /** Whether one of the keys is called that. */
  has(kid: string): boolean {
    return this.#keys.some((key) => key.kid === kid);
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
