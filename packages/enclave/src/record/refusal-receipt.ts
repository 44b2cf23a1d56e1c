import { hash } from "node:crypto";
import { canonicalBytes, toBase64Url, type JsonObject } from "@cmcp/boundary";
import { claimSigningInput, type Claim } from "@cmcp/claim";

/** `type` of the receipt for a call that the kill switch refuses, as other gateways of this format write it. */
export const REFUSAL_TYPE = "cmcp.kill-switch.refusal/v1";

/** What a refusal receipt is made of. */
export interface Refusal {
  readonly principal: string;
  /** The session that the trip closed or, where that is not known, the one that the call was made in. */
  readonly sessionId: string;
  /** The claim of that session; `null` while there is none. */
  readonly claimDigest: string | null;
  readonly time: Date;
}

/** What a refusal receipt is signed with. */
export interface RefusalKey {
  readonly jwk: { readonly x: string };
  sign(message: Uint8Array): Uint8Array;
}

/**
 * A statement that this gateway refused a call because of the kill switch, signed with the key of its claims over the
 * canonical JSON of all other members.
 */
export function refusalReceipt({ principal, sessionId, claimDigest, time }: Refusal, key: RefusalKey): JsonObject {
  const body = {
    type: REFUSAL_TYPE,
    agent_id: principal,
    session_id: sessionId,
    refused_at: time.toISOString(),
    gateway_key: key.jwk.x,
    ...(claimDigest === null ? {} : { claim_digest: claimDigest }),
  };
  return { ...body, signature: toBase64Url(key.sign(canonicalBytes(body))) };
}

/** `sha256:` and hex of a claim without its signature. */
export function claimDigestOf(claim: Claim): string {
  return `sha256:${hash("sha256", claimSigningInput(claim))}`;
}
