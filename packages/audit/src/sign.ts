import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
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
 * @param sign is given what {@link bundleSignature} signs
 * @throws CmcpError `INTERNAL` for none, or more than `MAX_BUNDLE_ENTRIES`
 */
export function* bundleText(
  sessionId: string,
  entries: readonly AuditEntry[],
  sign: Sign,
): Generator<string, void, void> {
  yield `{"session_id":${JSON.stringify(sessionId)},"entries":`;
  const digest = createHash("sha256");
  for (const piece of entriesText(entries)) {
    digest.update(piece);
    yield piece;
  }
  yield `,"bundle_signature":"${toBase64Url(sign(digest.digest()))}"}`;
}

/**
 * The signature of a session's bundle alone: over the SHA-256 of the canonical entries, base64url. Others do other
 * things between its pieces, too.
 * @throws as {@link bundleText}
 */
export async function bundleSignature(entries: readonly AuditEntry[], sign: Sign): Promise<string> {
  const digest = createHash("sha256");
  for (const piece of entriesText(entries)) {
    digest.update(piece);
    if (entries.length > ENTRIES_A_PIECE) await setImmediate();
  }
  return toBase64Url(sign(digest.digest()));
}

/** The canonical JSON of the entries in pieces. */
function* entriesText(entries: readonly AuditEntry[]): Generator<string, void, void> {
  if (entries.length === 0 || entries.length > MAX_BUNDLE_ENTRIES) {
    throw new CmcpError("INTERNAL", `a bundle has 1 to ${MAX_BUNDLE_ENTRIES} entries`);
  }
  for (let from = 0; from < entries.length; from += ENTRIES_A_PIECE) {
    const texts = entries.slice(from, from + ENTRIES_A_PIECE).map((entry) => canonicalText(entry));
    yield `${from === 0 ? "[" : ","}${texts.join(",")}${from + ENTRIES_A_PIECE < entries.length ? "" : "]"}`;
  }
}
