import { hash } from "node:crypto";
import { CanonicalObject, canonicalText, toBase64Url } from "@cmcp/boundary";
import type { Claim, UnsignedClaim } from "./claim.ts";

/** A signed claim, and the same as it is written: that of a long session has megabytes, and is written once. */
export interface WrittenClaim {
  readonly claim: Claim;
  readonly written: CanonicalObject;
  /** {@link claimHash} of the claim. */
  readonly hash: string;
}

/** The signed claim. @param sign Ed25519 with the key in the claim's `cnf`; returns 64 bytes. */
export function writeClaim(claim: UnsignedClaim, sign: (bytes: Uint8Array) => Uint8Array): WrittenClaim {
  const unsigned = canonicalClaim(claim);
  const signature = toBase64Url(sign(Buffer.from(unsigned.text)));
  const written = unsigned.with("signature", signature);
  return { claim: { ...claim, signature }, written, hash: hashOf(written.text) };
}

/** The claim as it is written. Equal rows of a transcript are mostly one object, which is looked at once. */
function canonicalClaim(claim: UnsignedClaim): CanonicalObject {
  const { trace } = claim;
  const { tool_transcript: transcript } = trace;
  const rows = new Map(Array.from(new Set(transcript.entries), (row) => [row, CanonicalObject.of(row)]));
  const entries = transcript.entries.map((row) => rows.get(row));
  return CanonicalObject.of({ ...claim, trace: { ...trace, tool_transcript: { ...transcript, entries } } });
}

/** {@link writeClaim}, where only the claim is wanted. */
export function signClaim(claim: UnsignedClaim, sign: (bytes: Uint8Array) => Uint8Array): Claim {
  return writeClaim(claim, sign).claim;
}

/** What the next claim's `prev_claim_hash` says of this one: `sha256:` and hex, over the whole signed claim's canonical JSON. */
export function claimHash(claim: Claim): string {
  return hashOf(canonicalText(claim));
}

function hashOf(text: string): string {
  return `sha256:${hash("sha256", text)}`;
}
