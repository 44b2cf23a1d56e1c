import type { ClaimPlace } from "@cmcp/appraise";
import { claimLeaf } from "@cmcp/audit/schema";
import type { Checkpoint } from "@cmcp/log/format";
import { claimHashOf } from "../claim/claim-hash.ts";
import type { ClaimContext } from "../claim/context.ts";
import { isInLog, readHead } from "../receipt/log-place.ts";
import { thumbprintOf } from "./instance-key.ts";

/** A claim's leaf, and where a log whose head was signed has it. */
export interface PlacedClaim {
  readonly leaf: Uint8Array;
  readonly index: number;
  /** The head that the path leads to. */
  readonly head: Checkpoint;
}

/**
 * Checks the place in the log that an evidence file names. The leaf follows from the claim's key and what the file
 * says. Its path leads to the note's root, and the note is signed.
 * @param place `null` where the file has none
 * @returns `null` where it has none, does not hold, or is of another claim of the session
 */
export async function checkClaimPlace(
  { crypto, claim, list }: ClaimContext,
  place: ClaimPlace | null,
): Promise<PlacedClaim | null> {
  if (place === null) return null;
  const name = "claim place";
  const own = claim.trace.cnf.jwk;
  const { index, path, note, signing_key: other } = place;
  const leaf = claimLeaf({ ...place, instance: await thumbprintOf(crypto, own) });
  const head = readHead(note)?.checkpoint ?? null;
  const holds = head !== null && (await isInLog(crypto, leaf, { index, path, note }, [other ?? own]));
  const signer = other === undefined ? "of this instance" : "of another instance, whose evidence is not looked at";
  list.require(name, holds, "LOG_MISMATCH", {
    passed: `record ${index} of ${head?.origin ?? ""}, under a note ${signer}`,
    failed:
      "the path of the evidence file does not lead from the claim to the note's root, or its key did not sign the note",
  });
  if (head === null || !holds) return null;
  if (place.claim_hash === (await claimHashOf(crypto, claim))) return { leaf, index, head };
  list.notPerformed("claim at its place", "the evidence file names the place of another claim of this instance");
  return null;
}
