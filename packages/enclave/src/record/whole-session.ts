import { randomUUID } from "node:crypto";
import { SessionChain, type AuditEntry, type EntryFields } from "@cmcp/audit";
import type { Journal } from "./journal.ts";
import { rootDetail, type RootFacts } from "./root-detail.ts";

/** What writing a whole session needs. */
export interface WholeSessionPorts {
  readonly journal: Pick<Journal, "append">;
  readonly root: () => RootFacts;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Who such a session is of. None of the names can be a principal's but `recovery`. */
export type GatewayPrincipal = "recovery" | "(operator)";

/** A session of the gateway's own: whom it is of, more members of its root entry, and its entries between root and end. */
interface WholeSession {
  readonly principal: GatewayPrincipal;
  readonly rootDetail?: Readonly<Record<string, string | number>>;
  readonly entries: readonly EntryFields[];
}

/**
 * Writes a session of the gateway's own, which starts and ends at once. Its entries are in the chain when this returns.
 * @returns the entries; `stored` resolves when the host has stored them
 */
export function writeWholeSession(
  { journal, root, now }: WholeSessionPorts,
  session: WholeSession,
): { readonly written: readonly AuditEntry[]; readonly stored: Promise<void> } {
  const chain = new SessionChain(randomUUID(), now);
  const facts = root();
  const undecided = { policy_decision: "n/a", response_inspection_result: "n/a" } as const;
  const written = [
    chain.append({
      ...undecided,
      entry_type: "session_start",
      detail: { ...rootDetail(facts, { principalId: session.principal, channel: "plain" }), ...session.rootDetail },
    }),
    ...session.entries.map((fields) => chain.append({ ...undecided, ...fields })),
    chain.append({ ...undecided, entry_type: "session_end", detail: { policy_hash: facts.policy.hash } }),
  ];
  const storing = written.map((entry) => journal.append(chain.sessionId, { kind: "entry", body: entry }));
  return { written, stored: Promise.all(storing).then(() => undefined) };
}
