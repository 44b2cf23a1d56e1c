import { createHash } from "node:crypto";
import {
  canonicalBytes,
  examine,
  isJsonObject,
  parseJson,
  type JsonObject,
  type JsonValue,
  type Untrusted,
} from "@cmcp/boundary";
import { ALGORITHMS, algorithmsOf, type Algorithm } from "../jwt/algorithms.ts";
import { isSecretKey, publicKeySchema } from "../jwt/jwk.ts";
import { importKey, KeyRing, type Key } from "../jwt/keys.ts";
import { MAX_FETCHED_KEYS, MAX_KEY_SET_BYTES } from "../limits.ts";
import { keySetFault } from "./fault.ts";

/** An issuer's keys as they were fetched. */
export interface KeySet {
  readonly ring: KeyRing;
  /** `sha256:` and hex, over the canonical JSON (RFC 8785) of the whole set. */
  readonly hash: string;
}

const MAX_KID = 256;

function parse(bytes: Untrusted<Uint8Array>): JsonObject {
  if (examine(bytes).byteLength > MAX_KEY_SET_BYTES) throw keySetFault("size");
  let value: JsonValue;
  try {
    value = parseJson(bytes, { maxBytes: MAX_KEY_SET_BYTES, maxDepth: 8, maxItems: 100_000 });
  } catch (thrown) {
    throw keySetFault("form", thrown);
  }
  if (!isJsonObject(value)) throw keySetFault("form");
  return value;
}

/** The keys of a set (RFC 7517 section 5), held to what no set of an honest issuer has. */
function keysOf({ keys }: JsonObject): readonly JsonObject[] {
  if (!Array.isArray(keys)) throw keySetFault("form");
  if (keys.length > MAX_FETCHED_KEYS) throw keySetFault("many");
  const kids = new Set<JsonValue>();
  return keys.map((key) => {
    if (!isJsonObject(key)) throw keySetFault("form");
    if (isSecretKey(key)) throw keySetFault("private");
    const { kid } = key;
    if (kid === undefined) return key;
    if (typeof kid !== "string" || kid === "" || kid.length > MAX_KID) throw keySetFault("form");
    if (kids.has(kid)) throw keySetFault("duplicate");
    kids.add(kid);
    return key;
  });
}

/** Whether a key may verify signatures (RFC 7517 sections 4.2 and 4.3). */
function verifies({ use, key_ops: operations }: JsonObject): boolean {
  return (
    (use === undefined || use === "sig") &&
    (operations === undefined || (Array.isArray(operations) && operations.includes("verify")))
  );
}

/**
 * A key that tokens may be signed with; `null` for one of another use, kind or algorithm, which issuers list beside.
 * RFC 8725 section 3.1: one key, one algorithm. A key that two accepted ones fit is left out.
 */
export async function usableKey(jwk: JsonObject, accepted: readonly Algorithm[]): Promise<Key | null> {
  const { kid, alg } = jwk;
  const { success, data: material } = publicKeySchema.safeParse(jwk);
  if (!success || typeof kid !== "string" || !verifies(jwk)) return null;
  const named = ALGORITHMS.find((algorithm) => algorithm === alg);
  if (alg !== undefined && named === undefined) return null;
  const [algorithm, ...others] = algorithmsOf(material).filter(
    (one) => accepted.includes(one) && (named === undefined || one === named),
  );
  return algorithm === undefined || others.length > 0 ? null : await importKey({ kid, material, algorithm });
}

/**
 * Reads an issuer's JWK set, which its server sent.
 * @throws CmcpError `ISSUER_KEYS_UNAVAILABLE`; `detail.keys` is a `KeySetFault`
 */
export async function readKeySet(bytes: Untrusted<Uint8Array>, accepted: readonly Algorithm[]): Promise<KeySet> {
  const set = parse(bytes);
  const keys = await Promise.all(keysOf(set).map(async (jwk) => await usableKey(jwk, accepted)));
  const usable = keys.filter((key) => key !== null);
  if (usable.length === 0) throw keySetFault("none");
  const hash = createHash("sha256").update(canonicalBytes(set)).digest("hex");
  return { ring: new KeyRing(usable), hash: `sha256:${hash}` };
}
