import type { VerifierCrypto } from "@cmcp/appraise";
import type { SigningJwk } from "@cmcp/appraise/evidence";
import { isJsonObject } from "@cmcp/boundary";
import type { Claim } from "@cmcp/claim/schema";
import { TILE_WIDTH, tileAt } from "@cmcp/log/format";
import { claimHashOf } from "../claim/claim-hash.ts";
import { thumbprintOf } from "./instance-key.ts";
import { bodyOf, leafObject, type Bundle } from "./record-json.ts";
import type { LogFiles } from "./shown-log.ts";

/** A leaf that a log has. */
export interface FoundLeaf {
  readonly index: number;
  readonly leaf: Uint8Array;
  readonly instance: string;
}

/** What a hand-over's body says that is looked at here. */
export interface ShownHandOver {
  readonly jwk: SigningJwk;
  readonly lostStore: unknown;
  readonly isComplete: boolean;
}

/** What was found in a log. */
export interface FoundLeaves {
  /** The newest hand-over, and what its body shows; `null` where there is no body. */
  readonly handOver: (FoundLeaf & { readonly shown: ShownHandOver | null }) | null;
  readonly claim: FoundLeaf | null;
}

/**
 * Looks for the newest hand-over of a log and for the leaf of a claim, from the newest record back. It reads as much of the leaves
 * as lies behind the older of the two, and one bundle of bodies.
 * @param claim `null` where no claim is looked for
 * @throws as the log's files
 */
export async function findLeaves(crypto: VerifierCrypto, files: LogFiles, claim: Claim | null): Promise<FoundLeaves> {
  const wanted = claim === null ? null : await wantedLeaf(crypto, claim);
  const { size } = files.checkpoint;
  let found: FoundLeaves = { handOver: null, claim: null };
  for (let at = Math.ceil(size / TILE_WIDTH) - 1; at >= 0; at -= 1) {
    const tile = tileAt(0, at, size);
    if (tile === undefined) continue;
    const leaves = (await files.readEntries(tile)).flatMap((leaf, index) => candidate(leaf, at * TILE_WIDTH + index));
    const handOver = leaves.findLast(({ kind }) => kind === "hand-over");
    if (found.handOver === null && handOver !== undefined)
      found = { ...found, handOver: { ...handOver, shown: await shownBy({ crypto, files, tile }, handOver) } };
    if (wanted !== null && found.claim === null)
      found = { ...found, claim: leaves.find((leaf) => isWanted(leaf, wanted)) ?? null };
    if ((wanted === null || found.claim !== null) && found.handOver !== null) break;
  }
  return found;
}

interface WantedClaim {
  readonly instance: string;
  readonly hash: string;
}

async function wantedLeaf(crypto: VerifierCrypto, claim: Claim): Promise<WantedClaim> {
  return { instance: await thumbprintOf(crypto, claim.trace.cnf.jwk), hash: await claimHashOf(crypto, claim) };
}

function isWanted({ kind, instance, claimHash }: Candidate, wanted: WantedClaim): boolean {
  return kind === "claim" && instance === wanted.instance && claimHash === wanted.hash;
}

interface Candidate extends FoundLeaf {
  readonly kind: "claim" | "hand-over";
  readonly bodyHash: string;
  /** Of a claim. */
  readonly claimHash: unknown;
}

/** A leaf of a kind that is looked for. Most are not, and are not parsed: the canonical form has no spaces. */
function candidate(leaf: Uint8Array, index: number): Candidate[] {
  const text = new TextDecoder().decode(leaf);
  if (!text.includes('"kind":"claim"') && !text.includes('"kind":"hand-over"')) return [];
  const { kind, instance, body_hash: bodyHash, claim_hash: claimHash } = leafObject(leaf);
  if ((kind !== "claim" && kind !== "hand-over") || typeof instance !== "string" || typeof bodyHash !== "string")
    return [];
  return [{ index, leaf, kind, instance, bodyHash, claimHash }];
}

async function shownBy(bundle: Bundle, handOver: Candidate): Promise<ShownHandOver | null> {
  const body = await bodyOf(bundle, handOver);
  if (body === null) return null;
  const { jwk, lost_store: lostStore, history } = body;
  if (!isJsonObject(jwk) || jwk["kty"] !== "OKP" || jwk["crv"] !== "Ed25519" || typeof jwk["x"] !== "string")
    return null;
  const key = { kty: jwk["kty"], crv: jwk["crv"], x: jwk["x"] } as const;
  return (await thumbprintOf(bundle.crypto, key)) === handOver.instance
    ? { jwk: key, lostStore, isComplete: isJsonObject(history) && history["state"] === "complete" }
    : null;
}
