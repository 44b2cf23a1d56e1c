import { hash } from "node:crypto";
import { canonicalBytes } from "@cmcp/boundary";
import type { EntryFields } from "./chain.ts";
import type { Intent } from "./journal.ts";
import type { RecoveredInstance } from "./recover.ts";
import type { RecoveredSession } from "./session-state.ts";

/** One recovery session the new instance must write. */
export interface RecoveryStep {
  /** Members to add to the recovery session's `session_start` detail. */
  readonly rootDetail: {
    readonly recovered_instance: string;
    readonly recovered_session: string;
    readonly recovered_tip: string;
    readonly recovered_length: number;
    /** SHA-256, hex, of the canonical array of the open intents. */
    readonly recovered_intents_hash: string;
  };
  /** One entry for every call whose outcome nobody knows. */
  readonly faults: readonly EntryFields[];
}

/**
 * What a new instance must write for the calls that earlier ones left open: one recovery session for each
 * interrupted session with an open intent that no earlier recovery session has answered.
 *
 * @param policyHash the policy bundle the new instance runs; a fault entry names it beside the one the call was decided
 * under.
 */
export function planRecovery(instances: readonly RecoveredInstance[], policyHash: string): RecoveryStep[] {
  const answered = new Set<string>();
  for (const { sessions } of instances) {
    for (const { answers } of sessions.values()) {
      for (const callId of answers?.callIds ?? [])
        answered.add(JSON.stringify([answers?.instance, answers?.session, callId]));
    }
  }
  const steps: RecoveryStep[] = [];
  for (const { instance, sessions } of instances) {
    for (const session of sessions.values()) {
      // Marking what is planned matters too: a host that shows one journal twice must not have its calls answered
      // twice.
      const open = session.openIntents.filter(({ call_id: id }) => {
        const key = JSON.stringify([instance, session.sessionId, id]);
        return !answered.has(key) && answered.add(key);
      });
      if (open.length > 0)
        steps.push({
          rootDetail: rootDetail(instance, session, open),
          faults: open.map((intent) => faultOf(session, intent, policyHash)),
        });
    }
  }
  return steps;
}

function rootDetail(instance: string, session: RecoveredSession, open: readonly Intent[]): RecoveryStep["rootDetail"] {
  return {
    recovered_instance: instance,
    recovered_session: session.sessionId,
    recovered_tip: session.tip,
    recovered_length: session.length,
    recovered_intents_hash: hash("sha256", canonicalBytes(open)),
  };
}

function faultOf({ sensitivity }: RecoveredSession, intent: Intent, policyHash: string): EntryFields {
  return {
    entry_type: "tool_call",
    call_id: intent.call_id,
    tool_name: intent.tool_name,
    server_identity: intent.server_identity,
    workflow_id: intent.workflow_id,
    policy_decision: "fault",
    policy_rule_matched: "outcome-unknown",
    request_payload_hash: intent.request_hash,
    session_sensitivity_before: sensitivity ?? intent.session_sensitivity,
    session_sensitivity_after: intent.session_sensitivity,
    response_inspection_result: "n/a",
    detail: {
      ...(intent.compartments === undefined ? {} : { compartments: intent.compartments }),
      ...(intent.integrity === undefined ? {} : { integrity: intent.integrity }),
      outcome: "unknown",
      policy_hash: policyHash,
      recovered_policy_hash: intent.policy_hash,
      recovered_session: intent.session_id,
      recovered_tip_before: intent.tip_before,
    },
  };
}
