import { planRecovery, type LogState } from "@cmcp/audit";
import type { KillSwitch } from "@cmcp/limits";
import { joinLabels, LOWEST, type Label, type Vocabulary } from "@cmcp/session";
import type { Sessions } from "./sessions.ts";
import { writeWholeSession, type WholeSessionPorts } from "./whole-session.ts";

/** What recovery needs. */
export interface RecoveryPorts extends WholeSessionPorts {
  readonly sessions: Pick<Sessions, "restoreFloor" | "restoreStart">;
  readonly vocabulary: Vocabulary;
  /** `null` where the configuration has no kill switch. */
  readonly killSwitch: Pick<KillSwitch, "restore"> | null;
  /** Milliseconds for which a principal's label outlives its last session. */
  readonly floorMs: number;
}

/**
 * Takes over from earlier instances. Every call that they left open gets its entry: a fault with an unknown outcome.
 * Every principal starts at the label it had, or at the highest if that is unknown. A principal that the kill switch
 * had stopped stays stopped.
 *
 * @param state the log, this instance's hand-over included
 */
export async function recoverInterrupted(parts: RecoveryPorts, state: LogState): Promise<void> {
  restoreFloors(parts, state);
  parts.killSwitch?.restore({
    blocked: new Set(state.blocked),
    unknownExcept: state.unknown === null ? null : new Set(state.unknown.unblocked),
  });
  for (const step of planRecovery(state.openCalls, parts.root().policy.hash))
    await writeWholeSession(parts, { principal: "recovery", rootDetail: { ...step.rootDetail }, entries: step.faults })
      .stored;
}

/**
 * Restores each principal's label. Entries carry the host's time. A host that changes its clock can only make a label last longer, or
 * hide records that it could withhold anyway. Where the past is unknown, only an operator's reset since says what a principal has seen.
 */
function restoreFloors({ sessions, vocabulary, now, floorMs }: RecoveryPorts, state: LogState): void {
  const oldest = now() - floorMs;
  const floors = new Map<string, Label>();
  const raise = (principal: string, names: readonly string[], untrusted: boolean): void => {
    const label: Label = {
      compartments: vocabulary.compartmentsOf(names),
      integrity: untrusted ? "untrusted" : "trusted",
    };
    floors.set(principal, joinLabels(floors.get(principal) ?? LOWEST, label));
  };
  for (const [principal, { labels, untrusted, time }] of state.principals)
    if (time >= oldest) raise(principal, [...labels], untrusted);
  // An open call may have returned data before the crash.
  for (const { intent } of state.openCalls) {
    const { principal, session_sensitivity: linear, compartments = "", integrity } = intent;
    raise(principal, [linear, ...compartments.split(",").filter((name) => name !== "")], integrity === "untrusted");
  }
  if (state.unknown !== null && state.unknown.since >= oldest)
    sessions.restoreStart(vocabulary.highest, new Set(state.unknown.reset));
  for (const [principal, label] of floors) sessions.restoreFloor(principal, label);
}
