import { callDetailSchema, policyDetailSchema, policyLoadDetailSchema, type AuditEntry } from "@cmcp/audit/schema";

/** Which policies a session ran under, by its own entries. */
export type PolicyHistory =
  | {
      readonly ok: true;
      /** The one in force at the end of the entries. */
      readonly latest: { readonly hash: string; readonly version: string | null };
      /** Hashes of all, in the order they came into force. */
      readonly hashes: readonly string[];
      /** Calls that ended after the policy they were decided under had been replaced. */
      readonly overtaken: number;
    }
  | { readonly ok: false; readonly why: string };

/**
 * Follows `session_start` and every `policy_load`. Each load must replace the policy that was in force, and
 * each call must name a policy that had come into force by then: a call under way finishes under the policy
 * it was decided with, so an earlier one is no contradiction, a later one is. So for every other entry that names one.
 */
export function policyHistory(entries: readonly AuditEntry[]): PolicyHistory {
  const [root, ...rest] = entries;
  const start = policyDetailSchema.safeParse(root?.detail);
  if (!start.success) return { ok: false, why: "the root entry names no policy" };
  let latest = { hash: start.data.policy_hash, version: start.data.policy_version ?? null };
  const hashes = [latest.hash];
  let overtaken = 0;
  for (const [index, entry] of rest.entries()) {
    const refuse = (why: string): PolicyHistory => ({ ok: false, why: `entry ${index + 1} ${why}` });
    if (entry.entry_type === "policy_load") {
      const load = policyLoadDetailSchema.safeParse(entry.detail);
      if (!load.success) return refuse("loads a policy without saying which");
      if (load.data.previous_policy_hash !== latest.hash)
        return refuse("replaces another policy than the one in force");
      latest = { hash: load.data.policy_hash, version: load.data.policy_version };
      hashes.push(latest.hash);
    }
    const isCall = entry.entry_type === "tool_call";
    if (!isCall && entry.detail?.["policy_hash"] === undefined) continue;
    const hash = callDetailSchema.safeParse(entry.detail).data?.policy_hash;
    if (hash === undefined || !hashes.includes(hash))
      return refuse(
        isCall ? "was decided under a policy that was not in force" : "names a policy that was not in force",
      );
    if (isCall && hash !== latest.hash) overtaken += 1;
  }
  return { ok: true, latest, hashes, overtaken };
}
