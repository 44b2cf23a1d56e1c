import { sha256Hex, type VerifierCrypto } from "@cmcp/appraise";
import { entryHashInput, type AuditEntry } from "@cmcp/audit/schema";

/** What a list of entries is found to be. */
export type ChainFinding =
  | { readonly ok: true; readonly root: string; readonly tip: string }
  | { readonly ok: false; readonly why: string };

/** Re-derives a session's hash chain from its entries alone, as they come: numbering, links, hashes, one session, one start, at most one end. */
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

  /** @param sessionId the session that the entries must belong to */
  finish(sessionId: string): ChainFinding {
    const [first, last] = [this.#first, this.#last];
    if (first === undefined || last === undefined) return { ok: false, why: "there are no entries" };
    if (first.session_id !== sessionId) return { ok: false, why: "entry 0: belongs to another session" };
    if (this.#why !== null) return { ok: false, why: this.#why };
    return { ok: true, root: first.entry_hash, tip: last.entry_hash };
  }

  async #problemOf(entry: AuditEntry): Promise<string | null> {
    const index = this.#length;
    const last = this.#last;
    const broken = (why: string): string => `entry ${index}: ${why}`;
    if (last?.entry_type === "session_end") return `entry ${index - 1}: session_end is followed by more`;
    if (last !== undefined && entry.session_id !== last.session_id) return broken("belongs to another session");
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
