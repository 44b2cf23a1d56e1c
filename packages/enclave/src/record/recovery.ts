import { randomUUID } from "node:crypto";
import {
  JournalReader,
  SessionChain,
  UntouchedReader,
  planRecovery,
  type RecoveredInstance,
  type RecoveryStep,
} from "@cmcp/audit";
import { jwkThumbprintText } from "@cmcp/attestation";
import type { Core } from "../boot/core.ts";
import type { Journal } from "./journal.ts";
import { readRecord } from "./read-back.ts";
import { rootDetail } from "./recorder.ts";

/** Most earlier instances looked at, latest first; the host could hide any of them anyway. */
const MAX_INSTANCES = 1_024;

/** What earlier instances' journals establish: read from the host, believed only where it verifies under their keys. */
export async function readEarlierInstances(journal: Journal, own: string): Promise<RecoveredInstance[]> {
  const names: string[] = [];
  for await (const bytes of journal.scan({ kind: "instance" })) {
    const instance = readRecord(bytes)?.instance ?? own;
    if (instance !== own) names.push(instance);
  }
  const found: RecoveredInstance[] = [];
  for (const instance of names.slice(-MAX_INSTANCES)) {
    // A journal that the host changed is read again, record by record.
    const recovered =
      (await readInstance(journal, instance, new UntouchedReader(jwkThumbprintText))) ??
      (await readInstance(journal, instance, new JournalReader(jwkThumbprintText)));
    if (recovered !== null) found.push(recovered);
  }
  return found;
}

async function readInstance(
  journal: Journal,
  instance: string,
  reader: JournalReader | UntouchedReader,
): Promise<RecoveredInstance | null> {
  for await (const bytes of journal.scan({ instance })) reader.add(bytes);
  return reader.finish();
}

/**
 * Takes over from earlier instances: every call they left open gets its one entry, a fault of unknown
 * outcome, and every principal starts from what it had seen.
 */
export async function recoverInterrupted(core: Core, earlier: readonly RecoveredInstance[]): Promise<void> {
  for (const step of planRecovery(earlier, core.policy.bundle.hash)) await writeRecoverySession(core, step);
  restoreFloors(core, earlier);
}

/** The host's clock dates the entries; one that moved it can only make a floor last longer or hide what it could withhold anyway. */
function restoreFloors(core: Core, earlier: readonly RecoveredInstance[]): void {
  const oldest = core.clock.now().getTime() - core.config.enclave.sensitivity_floor_seconds * 1000;
  const floors = new Map<string, string>();
  for (const { sessions, resetPrincipals } of earlier) {
    for (const principal of resetPrincipals) floors.delete(principal);
    for (const { principal, seen, lastTime, openIntents } of sessions.values()) {
      if (principal === null || Date.parse(lastTime) < oldest) continue;
      // What a call that was cut off could return may have been seen.
      for (const held of [...seen, ...openIntents.map((intent) => intent.session_sensitivity)]) {
        // A label this configuration does not know cannot be ranked; the highest one holds instead.
        const label = core.vocabulary.has(held) ? held : core.vocabulary.highest;
        floors.set(principal, core.vocabulary.max(floors.get(principal) ?? label, label));
      }
    }
  }
  for (const [principal, label] of floors) core.sessions.restoreFloor(principal, label);
}

/** A recovery session belongs to no principal and no caller can add to it; it opens, records and ends at once. */
async function writeRecoverySession(core: Core, step: RecoveryStep): Promise<void> {
  const chain = new SessionChain(randomUUID(), () => core.clock.now().getTime());
  const entries = [
    chain.append({
      entry_type: "session_start",
      policy_decision: "n/a",
      response_inspection_result: "n/a",
      detail: { ...rootDetail(core, "recovery"), ...step.rootDetail },
    }),
    ...step.faults.map((fields) => chain.append(fields)),
    chain.append({
      entry_type: "session_end",
      policy_decision: "n/a",
      response_inspection_result: "n/a",
      detail: { policy_hash: core.policy.bundle.hash },
    }),
  ];
  for (const entry of entries)
    await core.journal.append(chain.sessionId, { kind: "entry", body: { entry, receipt: null } });
}
