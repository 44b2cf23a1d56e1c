import { planRecovery, type RecoveredInstance, type SignedKillSwitch } from "@cmcp/audit";
import type { KillSwitch } from "@cmcp/limits";
import { joinLabels, LOWEST, type Label, type Vocabulary } from "@cmcp/session";
import type { EarlierInstances } from "./earlier-instances.ts";
import { restoredBlocks } from "./restore-stops.ts";
import type { Sessions } from "./sessions.ts";
import { writeWholeSession, type WholeSessionPorts } from "./whole-session.ts";

/** What recovery needs. */
export interface RecoveryPorts extends WholeSessionPorts {
  readonly sessions: Pick<Sessions, "restoreFloor" | "restoreStart">;
  readonly vocabulary: Vocabulary;
  /** `null` where the configuration has no kill switch. */
  readonly killSwitch: Pick<KillSwitch, "restore"> | null;
  /** Whether an operator of the measured configuration signed a statement. */
  readonly hasSigned: (signed: SignedKillSwitch) => boolean;
  /** Milliseconds for which a principal's label outlives its last session. */
  readonly floorMs: number;
}

/**
 * Takes over from earlier instances. Every call that they left open gets its entry: a fault with an unknown outcome.
 * Every principal starts at the label it had, or at the highest if that is unknown. A principal that the kill switch
 * had stopped stays stopped.
 */
export async function recoverInterrupted(parts: RecoveryPorts, earlier: EarlierInstances): Promise<void> {
  const recovered = earlier.instances.map((found) => found.recovered).filter((found) => found !== null);
  for (const step of planRecovery(recovered, parts.root().policy.hash))
    await writeWholeSession(parts, { principal: "recovery", rootDetail: { ...step.rootDetail }, entries: step.faults })
      .stored;
  restoreFloors(parts, earlier);
  parts.killSwitch?.restore(restoredBlocks(earlier, parts.hasSigned));
}

/**
 * Restores each principal's label. Entries carry the host's time. A host that changes its clock can only make a label last longer, or
 * hide records that it could withhold anyway. If a journal has a flaw, the missing records may belong to any principal.
 * An operator's reset in a later instance overrides both.
 */
function restoreFloors({ sessions, vocabulary, now, floorMs }: RecoveryPorts, { instances }: EarlierInstances): void {
  const oldest = now() - floorMs;
  const floors = new Map<string, Label>();
  let unknown = false;
  const vouched = new Set<string>();
  for (const { recovered, flaw } of instances) {
    for (const principal of recovered?.resetPrincipals ?? []) {
      floors.delete(principal);
      vouched.add(principal);
    }
    if (recovered !== null)
      for (const [principal, label] of labelsIn(recovered, oldest, vocabulary))
        floors.set(principal, joinLabels(floors.get(principal) ?? LOWEST, label));
    if (flaw === null || (recovered !== null && Date.parse(recovered.lastTime) < oldest)) continue;
    unknown = true;
    vouched.clear();
  }
  if (unknown) sessions.restoreStart(vocabulary.highest, vouched);
  for (const [principal, label] of floors) sessions.restoreFloor(principal, label);
}

/** The label of what each principal saw in an instance's recent sessions. */
function* labelsIn(
  { sessions }: RecoveredInstance,
  oldest: number,
  vocabulary: Vocabulary,
): Generator<readonly [string, Label]> {
  for (const { principal, seen, untrusted, lastTime, openIntents } of sessions.values()) {
    if (principal === null || Date.parse(lastTime) < oldest) continue;
    // An open call may have returned data before the crash.
    const open = openIntents.flatMap(({ session_sensitivity: linear, compartments = "" }) => [
      linear,
      ...compartments.split(",").filter((name) => name !== ""),
    ]);
    const isUntrusted = untrusted || openIntents.some(({ integrity }) => integrity === "untrusted");
    yield [
      principal,
      {
        compartments: vocabulary.compartmentsOf([...seen, ...open]),
        integrity: isUntrusted ? "untrusted" : "trusted",
      },
    ];
  }
}
