import { sha256Hex, type VerifierCrypto } from "@cmcp/appraise";
import type { SigningJwk } from "@cmcp/appraise/evidence";
import {
  canonicalText,
  CmcpError,
  isJsonObject,
  parseJson,
  untrusted,
  type JsonLimits,
  type JsonObject,
} from "@cmcp/boundary";
import type { Claim } from "@cmcp/claim/schema";
import { TILE_WIDTH, tileAt, type Tile } from "@cmcp/log/format";
import { thumbprintOf } from "./instance-key.ts";
import type { LogFiles } from "./shown-log.ts";

const LEAF_LIMITS: JsonLimits = { maxBytes: 4096, maxDepth: 2, maxItems: 64 };
/** What the body of a record may be, as the gateway bounds it. */
const BODY_LIMITS: JsonLimits = { maxBytes: 16 * 1024 * 1024, maxDepth: 24, maxItems: 1_000_000 };

/** A leaf that a log has, and what its body says, if it is there and the leaf commits to it. */
export interface FoundLeaf {
  readonly index: number;
  readonly leaf: Uint8Array;
  readonly instance: string;
}

/** What was found of a claim's instance and claim. */
export interface FoundLeaves {
  /** The newest hand-over; its key is `null` where no body shows it. */
  readonly handOver: (FoundLeaf & { readonly jwk: SigningJwk | null }) | null;
  readonly claim: FoundLeaf | null;
  /** Claims of the instance whose bodies were left out. */
  readonly claimsWithoutBodies: number;
}

/**
 * Looks for the newest hand-over of a log and for the record of a claim, from the newest record back. It reads as much
 * of the log as lies behind the older of the two.
 * @throws as the log's files
 */
export async function findLeaves(crypto: VerifierCrypto, files: LogFiles, claim: Claim): Promise<FoundLeaves> {
  const wanted: WantedClaim = {
    text: canonicalText(claim),
    session: claim.gateway.session_id,
    instance: await thumbprintOf(crypto, claim.trace.cnf.jwk),
  };
  const { size } = files.checkpoint;
  let found: FoundLeaves = { handOver: null, claim: null, claimsWithoutBodies: 0 };
  for (let at = Math.ceil(size / TILE_WIDTH) - 1; at >= 0; at -= 1) {
    const tile = tileAt(0, at, size);
    if (tile === undefined) continue;
    const leaves = (await files.readEntries(tile)).flatMap((leaf, place) => candidate(leaf, at * TILE_WIDTH + place));
    const handOver = leaves.findLast(({ kind }) => kind === "hand-over");
    if (found.handOver === null && handOver !== undefined)
      found = { ...found, handOver: { ...handOver, jwk: await keyOf({ crypto, files, tile }, handOver) } };
    const claims = leaves.filter(({ kind, instance }) => kind === "claim" && instance === wanted.instance);
    if (found.claim === null && claims.length > 0)
      found = { ...found, ...(await findClaim({ crypto, files, tile }, claims, wanted, found.claimsWithoutBodies)) };
    if (found.claim !== null && found.handOver !== null) break;
  }
  return found;
}

interface WantedClaim {
  readonly text: string;
  readonly session: string;
  readonly instance: string;
}

interface Candidate extends FoundLeaf {
  readonly kind: "claim" | "hand-over";
  readonly bodyHash: string;
}

interface Bundle {
  readonly crypto: VerifierCrypto;
  readonly files: LogFiles;
  readonly tile: Tile;
}

/** A leaf of a kind that is looked for. Most are not, and are not parsed: the canonical form has no spaces. */
function candidate(leaf: Uint8Array, index: number): Candidate[] {
  const text = new TextDecoder().decode(leaf);
  if (!text.includes('"kind":"claim"') && !text.includes('"kind":"hand-over"')) return [];
  const { kind, instance, body_hash: bodyHash } = objectIn(leaf, LEAF_LIMITS);
  if ((kind !== "claim" && kind !== "hand-over") || typeof instance !== "string" || typeof bodyHash !== "string")
    return [];
  return [{ index, leaf, kind, instance, bodyHash }];
}

async function keyOf(bundle: Bundle, handOver: Candidate): Promise<SigningJwk | null> {
  for await (const { body } of bodiesOf(bundle, [handOver])) {
    const { jwk } = objectIn(body, BODY_LIMITS);
    if (!isJsonObject(jwk) || jwk["kty"] !== "OKP" || jwk["crv"] !== "Ed25519" || typeof jwk["x"] !== "string")
      continue;
    const key = { kty: jwk["kty"], crv: jwk["crv"], x: jwk["x"] } as const;
    if ((await thumbprintOf(bundle.crypto, key)) === handOver.instance) return key;
  }
  return null;
}

async function findClaim(
  bundle: Bundle,
  claims: readonly Candidate[],
  wanted: WantedClaim,
  before: number,
): Promise<Pick<FoundLeaves, "claim" | "claimsWithoutBodies">> {
  let there = 0;
  for await (const { leaf, body } of bodiesOf(bundle, claims)) {
    there += 1;
    if (!new TextDecoder().decode(body).includes(wanted.session)) continue;
    const { claim } = objectIn(body, BODY_LIMITS);
    if (isJsonObject(claim) && canonicalText(claim) === wanted.text)
      return { claim: leaf, claimsWithoutBodies: before };
  }
  return { claim: null, claimsWithoutBodies: before + claims.length - there };
}

/** The bodies that leaves of a bundle commit to. */
async function* bodiesOf({ crypto, files, tile }: Bundle, leaves: readonly Candidate[]) {
  const wanted = new Map(leaves.map((leaf) => [leaf.index, leaf]));
  let index = tile.index * TILE_WIDTH;
  for await (const body of files.readBodies(tile)) {
    const leaf = wanted.get(index);
    if (leaf !== undefined && leaf.bodyHash === `sha256:${await sha256Hex(crypto, body)}`) yield { leaf, body };
    wanted.delete(index);
    if (wanted.size === 0) return;
    index += 1;
  }
}

/** The object that bytes are the strict JSON of; an empty one for anything else. */
function objectIn(bytes: Uint8Array, limits: JsonLimits): JsonObject {
  try {
    const value = parseJson(untrusted(bytes), limits);
    return isJsonObject(value) ? value : {};
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    return {};
  }
}
