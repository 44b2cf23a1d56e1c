import { createHash } from "node:crypto";
import { canonicalText, CmcpError, toBase64Url } from "@cmcp/boundary";
import { MAX_BUNDLE_ENTRIES } from "./bundle.ts";
import type { AuditEntry } from "./entry.ts";

/** Signs with the enclave's Ed25519 key; returns the 64-byte signature. */
export type Sign = (bytes: Uint8Array) => Uint8Array;

/** Entries in one piece of a bundle's text. */
const ENTRIES_A_PIECE = 256;

/**
 * The JSON text of a whole session's entries, signed (`AuditBundle`), in pieces: the largest has tens of megabytes,
 * and whoever sends it does other things between them. The caller has checked that the entries are the session's chain.
 * @throws CmcpError `INTERNAL` for none, or more than `MAX_BUNDLE_ENTRIES`
 */
export function* bundleText(sessionId: string, entries: readonly AuditEntry[], sign: Sign): Generator<string, void, void> {
  if (entries.length === 0 || entries.length > MAX_BUNDLE_ENTRIES) {
    throw new CmcpError("INTERNAL", `a bundle has 1 to ${MAX_BUNDLE_ENTRIES} entries`);
  }
  const digest = createHash("sha256");
  yield `{"session_id":${JSON.stringify(sessionId)},"entries":`;
  for (let from = 0; from < entries.length; from += ENTRIES_A_PIECE) {
    const texts = entries.slice(from, from + ENTRIES_A_PIECE).map((entry) => canonicalText(entry));
    const piece = `${from === 0 ? "[" : ","}${texts.join(",")}`;
    digest.update(piece);
    yield piece;
  }
  digest.update("]");
  yield `],"bundle_signature":"${toBase64Url(sign(digest.digest()))}"}`;
}
