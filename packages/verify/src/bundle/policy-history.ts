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

/** Most policies of one session. */
const MAX_POLICIES = 10_000;

/**
 * Follows `session_start` and every `policy_load`. Each load must replace the policy that was in force, and
 * each call must name a policy that had come into force by then: a call under way finishes under the policy
 * it was decided with, so an earlier one is no contradiction, a later one is. So for every other entry that names one.
 */
export class PolicyHistoryFold {
  #latest = { hash: "", version: null as string | null };
  readonly #hashes: string[] = [];
  readonly #known = new Set<string>();
  #overtaken = 0;
  #entries = 0;
  #why: string | null = "the root entry names no policy";

  add(entry: AuditEntry): void {
    if (this.#entries === 0) this.#start(entry);
    else if (this.#why === null) {
      const problem = this.#follow(entry);
      if (problem !== null) this.#why = `entry ${this.#entries} ${problem}`;
    }
    this.#entries += 1;
  }

  finish(): PolicyHistory {
    if (this.#why !== null) return { ok: false, why: this.#why };
    return { ok: true, latest: this.#latest, hashes: this.#hashes, overtaken: this.#overtaken };
  }

  #start({ detail }: AuditEntry): void {
    const start = policyDetailSchema.safeParse(detail);
    if (!start.success) return;
    this.#why = null;
    this.#install(start.data.policy_hash, start.data.policy_version ?? null);
  }

  #install(hash: string, version: string | null): void {
    this.#latest = { hash, version };
    this.#hashes.push(hash);
    this.#known.add(hash);
  }

  /** @returns what is wrong with an entry after the first */
  #follow(entry: AuditEntry): string | null {
    if (entry.entry_type === "policy_load") {
      const load = policyLoadDetailSchema.safeParse(entry.detail);
      if (!load.success) return "loads a policy without saying which";
      if (load.data.previous_policy_hash !== this.#latest.hash) return "replaces another policy than the one in force";
      if (this.#hashes.length >= MAX_POLICIES) return `loads more than ${MAX_POLICIES} policies`;
      this.#install(load.data.policy_hash, load.data.policy_version);
    }
    const isCall = entry.entry_type === "tool_call";
    if (!isCall && entry.detail?.["policy_hash"] === undefined) return null;
    const hash = callDetailSchema.safeParse(entry.detail).data?.policy_hash;
    if (hash === undefined || !this.#known.has(hash))
      return isCall ? "was decided under a policy that was not in force" : "names a policy that was not in force";
    if (isCall && hash !== this.#latest.hash) this.#overtaken += 1;
    return null;
  }
}
