import { randomUUID } from "node:crypto";
import { planRecovery, SessionChain, type RecoveredInstance, type RecoveryStep } from "@cmcp/audit";
import type { Vocabulary } from "@cmcp/session";
import type { Journal } from "./journal.ts";
import type { EarlierInstances } from "./earlier-instances.ts";
import { rootDetail, type RootFacts } from "./root-detail.ts";
import type { Sessions } from "./sessions.ts";

/** What a recovery writes with, and whom it raises. */
export interface RecoveryPorts {
  readonly journal: Pick<Journal, "append">;
  readonly sessions: Pick<Sessions, "restoreFloor" | "restoreStart">;
  readonly vocabulary: Vocabulary;
  readonly root: () => RootFacts;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds for which what a principal has seen outlives its last session. */
  readonly floorMs: number;
}

/**
 * Takes over from earlier instances: every call they left open gets its one entry, a fault of unknown
 * outcome, and every principal starts from what it had seen, from the highest label where that is not known.
 */
export async function recoverInterrupted(parts: RecoveryPorts, earlier: EarlierInstances): Promise<void> {
  const recovered = earlier.instances.map((found) => found.recovered).filter((found) => found !== null);
  for (const step of planRecovery(recovered, parts.root().policy.hash)) await writeRecoverySession(parts, step);
  restoreFloors(parts, earlier);
}

/**
 * The host's clock dates the entries; one that moved it can only make a floor last longer or hide what it could withhold anyway.
 * Where a journal contradicts itself, whatever is missing may be of any principal. An operator's reset in a later instance
 * supersedes that, as it does what was seen.
 */
function restoreFloors({ sessions, vocabulary, now, floorMs }: RecoveryPorts, { instances }: EarlierInstances): void {
  const oldest = now() - floorMs;
  const floors = new Map<string, string>();
  let unknown = false;
  const vouched = new Set<string>();
  for (const { recovered, flaw } of instances) {
    for (const principal of recovered?.resetPrincipals ?? []) {
      floors.delete(principal);
      vouched.add(principal);
    }
    if (recovered !== null)
      for (const [principal, seen] of seenIn(recovered, oldest))
        for (const held of seen) {
          // A label this configuration does not know cannot be ranked; the highest one holds instead.
          const label = vocabulary.has(held) ? held : vocabulary.highest;
          floors.set(principal, vocabulary.max(floors.get(principal) ?? label, label));
        }
    if (flaw === null || (recovered !== null && Date.parse(recovered.lastTime) < oldest)) continue;
    unknown = true;
    vouched.clear();
  }
  if (unknown) sessions.restoreStart(vocabulary.highest, vouched);
  for (const [principal, label] of floors) sessions.restoreFloor(principal, label);
}

/** What each principal saw in an instance's sessions that are not too long ago. */
function* seenIn({ sessions }: RecoveredInstance, oldest: number): Generator<readonly [string, readonly string[]]> {
  for (const { principal, seen, lastTime, openIntents } of sessions.values()) {
    if (principal === null || Date.parse(lastTime) < oldest) continue;
    // What a call that was cut off could return may have been seen.
    yield [principal, [...seen, ...openIntents.map((intent) => intent.session_sensitivity)]];
  }
}

/** A recovery session belongs to no principal and no caller can add to it; it opens, records and ends at once. */
async function writeRecoverySession({ journal, root, now }: RecoveryPorts, step: RecoveryStep): Promise<void> {
  const chain = new SessionChain(randomUUID(), now);
  const facts = root();
  const entries = [
    chain.append({
      entry_type: "session_start",
      policy_decision: "n/a",
      response_inspection_result: "n/a",
      detail: { ...rootDetail(facts, "recovery"), ...step.rootDetail },
    }),
    ...step.faults.map((fields) => chain.append(fields)),
    chain.append({
      entry_type: "session_end",
      policy_decision: "n/a",
      response_inspection_result: "n/a",
      detail: { policy_hash: facts.policy.hash },
    }),
  ];
  for (const entry of entries) await journal.append(chain.sessionId, { kind: "entry", body: { entry, receipt: null } });
}
