import { randomUUID } from "node:crypto";
import { JournalReader, SessionChain, decodeRecord, planRecovery, type RecoveredInstance, type RecoveryStep } from "@cmcp/audit";
import { jwkThumbprintText } from "@cmcp/attestation";
import type { Core } from "../core.ts";
import { rootDetail } from "./recorder.ts";

/** Most earlier instances looked at, latest first; the host could hide any of them anyway. */
const MAX_INSTANCES = 64;

/** What earlier instances' journals establish: read from the host, believed only where it verifies under their keys. */
export async function readEarlierInstances(core: Core): Promise<RecoveredInstance[]> {
  const names: string[] = [];
  for await (const bytes of core.journal.scan({ kind: "instance" })) {
    const record = decodeRecord(bytes);
    if (record.instance !== core.instance) names.push(record.instance);
  }
  const found: RecoveredInstance[] = [];
  for (const instance of names.slice(-MAX_INSTANCES)) {
    const reader = new JournalReader(jwkThumbprintText);
    for await (const bytes of core.journal.scan({ instance })) reader.add(bytes);
    const recovered = reader.finish();
    if (recovered !== null) found.push(recovered);
  }
  return found;
}

/** Gives every call an earlier instance left open its one entry, a fault of unknown outcome, and returns how many there were. */
export async function recoverInterrupted(core: Core): Promise<number> {
  const steps = planRecovery(await readEarlierInstances(core), core.policy.bundle.hash);
  for (const step of steps) await writeRecoverySession(core, step);
  return steps.reduce((total, step) => total + step.faults.length, 0);
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
    chain.append({ entry_type: "session_end", policy_decision: "n/a", response_inspection_result: "n/a", detail: { policy_hash: core.policy.bundle.hash } }),
  ];
  for (const entry of entries) await core.journal.append(chain.sessionId, { kind: "entry", body: { entry, receipt: null } });
}
