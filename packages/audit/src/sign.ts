import { createHash } from "node:crypto";
import { canonicalText, CmcpError, toBase64Url } from "@cmcp/boundary";
import { MAX_BUNDLE_ENTRIES } from "./bundle.ts";
import type { AuditEntry } from "./entry.ts";

/** Signs with the enclave's Ed25519 key; returns the 64-byte signature. */
export type Sign = (bytes: Uint8Array) => Uint8Array;

/** Entries in one piece of a bundle's text. */
const ENTRIES_A_PIECE = 256;

/**
 * Writes the JSON text of a whole session's entries, signed (`AuditBundle`), as the entries come. The signature comes
 * last, so that a text which ends early is no bundle.
 */
export class BundleWriter {
  readonly #sessionId: string;
  readonly #digest = createHash("sha256");
  #entries = 0;

  constructor(sessionId: string) {
    this.#sessionId = sessionId;
  }

  /** The text of the next entries, at least one. @throws CmcpError `INTERNAL` for more than `MAX_BUNDLE_ENTRIES` in all */
  add(entries: readonly AuditEntry[]): string {
    const isFirst = this.#entries === 0;
    this.#entries += entries.length;
    if (entries.length === 0 || this.#entries > MAX_BUNDLE_ENTRIES)
      throw new CmcpError("INTERNAL", `a bundle has 1 to ${MAX_BUNDLE_ENTRIES} entries`);
    const text = `${isFirst ? "[" : ","}${entries.map((entry) => canonicalText(entry)).join(",")}`;
    this.#digest.update(text);
    return isFirst ? `{"session_id":${JSON.stringify(this.#sessionId)},"entries":${text}` : text;
  }

  /**
   * The rest of the text.
   * @param sign is given the SHA-256 of the canonical array of the entries
   * @throws CmcpError `INTERNAL` for a bundle without entries
   */
  end(sign: Sign): string {
    if (this.#entries === 0) throw new CmcpError("INTERNAL", `a bundle has 1 to ${MAX_BUNDLE_ENTRIES} entries`);
    return `],"bundle_signature":"${toBase64Url(sign(this.#digest.update("]").digest()))}"}`;
  }
}

/** The text that {@link BundleWriter} makes of entries that are at hand, in pieces. @throws as {@link BundleWriter} */
export function* bundleText(
  sessionId: string,
  entries: readonly AuditEntry[],
  sign: Sign,
): Generator<string, void, void> {
  const writer = new BundleWriter(sessionId);
  for (let from = 0; from < entries.length; from += ENTRIES_A_PIECE)
    yield writer.add(entries.slice(from, from + ENTRIES_A_PIECE));
  yield writer.end(sign);
}
