import { sha256Hex, type VerifierCrypto } from "@cmcp/appraise";
import { entryHashInput, sessionAfter, successorOf, type AuditEntry } from "@cmcp/audit/schema";

/** What a list of entries is found to be. */
export type ChainFinding =
  | { readonly ok: true; readonly root: string; readonly tip: string }
  | { readonly ok: false; readonly why: string };

/**
 * Re-derives a session's hash chain from its entries alone, as they come: numbering, links, hashes, one session and its
 * successors by resets, one start, at most one end.
 */
export class ChainFold {
  readonly #crypto: VerifierCrypto;
  #first: AuditEntry | undefined;
  #last: AuditEntry | undefined;
  #length = 0;
  #why: string | null = null;

  constructor(crypto: VerifierCrypto) {
    this.#crypto = crypto;
  }

  async add(entry: AuditEntry): Promise<void> {
    this.#first ??= entry;
    if (this.#why === null) this.#why = await this.#problemOf(entry);
    this.#last = entry;
    this.#length += 1;
  }

  /**
   * @param sessionId the session that the entries must belong to: the last one of the chain in a bundle, the first one in
   * the export of an interrupted session, whose end nothing signs
   */
  finish(sessionId: string, which: "first" | "last" = "last"): ChainFinding {
    const [first, last] = [this.#first, this.#last];
    if (first === undefined || last === undefined) return { ok: false, why: "there are no entries" };
    if (this.#why !== null) return { ok: false, why: this.#why };
    if ((which === "first" ? first.session_id : sessionAfter(last)) !== sessionId)
      return { ok: false, why: `entry ${which === "first" ? 0 : this.#length - 1}: belongs to another session` };
    return { ok: true, root: first.entry_hash, tip: last.entry_hash };
  }

  async #problemOf(entry: AuditEntry): Promise<string | null> {
    const index = this.#length;
    const last = this.#last;
    const broken = (why: string): string => `entry ${index}: ${why}`;
    if (last?.entry_type === "session_end") return `entry ${index - 1}: session_end is followed by more`;
    const successor = last === undefined ? null : successorOf(last);
    if (last !== undefined && entry.session_id !== (successor ?? last.session_id))
      return broken("belongs to another session");
    if (entry.entry_type === "session_reset" && successorOf(entry) === null)
      return broken("a reset that does not name its session and a successor");
    if (entry.sequence_number !== index) return broken(`is numbered ${entry.sequence_number}`);
    if (entry.prev_entry_hash !== (last?.entry_hash ?? "genesis")) return broken("does not link to the entry before");
    if ((await sha256Hex(this.#crypto, entryHashInput(entry))) !== entry.entry_hash)
      return broken("does not hash to its entry_hash");
    if ((entry.entry_type === "session_start") !== (index === 0))
      return broken("session_start is the first entry and no other");
    const lastTime = last === undefined ? Number.NEGATIVE_INFINITY : Date.parse(last.timestamp_utc);
    if (!(Date.parse(entry.timestamp_utc) >= lastTime)) return broken("is earlier than the entry before");
    return null;
  }
}
