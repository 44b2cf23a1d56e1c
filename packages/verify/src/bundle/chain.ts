import { sha256Hex, type VerifierCrypto } from "@cmcp/appraise";
import { entryHashInput, type AuditEntry } from "@cmcp/audit/schema";

/** What a list of entries is found to be. */
export type ChainFinding =
  | { readonly ok: true; readonly root: string; readonly tip: string }
  | { readonly ok: false; readonly why: string };

/** Re-derives a session's hash chain from its entries alone: numbering, links, hashes, one session, one start, at most one end. */
export async function deriveChain(
  crypto: VerifierCrypto,
  sessionId: string,
  entries: readonly AuditEntry[],
): Promise<ChainFinding> {
  let previous = "genesis";
  let lastTime = -Infinity;
  for (const [index, entry] of entries.entries()) {
    const broken = (why: string): ChainFinding => ({ ok: false, why: `entry ${index}: ${why}` });
    if (entry.session_id !== sessionId) return broken("belongs to another session");
    if (entry.sequence_number !== index) return broken(`is numbered ${entry.sequence_number}`);
    if (entry.prev_entry_hash !== previous) return broken("does not link to the entry before");
    if ((await sha256Hex(crypto, entryHashInput(entry))) !== entry.entry_hash)
      return broken("does not hash to its entry_hash");
    if ((entry.entry_type === "session_start") !== (index === 0))
      return broken("session_start is the first entry and no other");
    if (entry.entry_type === "session_end" && index !== entries.length - 1)
      return broken("session_end is followed by more");
    const time = Date.parse(entry.timestamp_utc);
    if (!(time >= lastTime)) return broken("is earlier than the entry before");
    previous = entry.entry_hash;
    lastTime = time;
  }
  const root = entries[0]?.entry_hash;
  return root === undefined ? { ok: false, why: "there are no entries" } : { ok: true, root, tip: previous };
}
