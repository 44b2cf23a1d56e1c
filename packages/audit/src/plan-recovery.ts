import { hash } from "node:crypto";
import { canonicalBytes } from "@cmcp/boundary";
import { callKeyDetail } from "./call-key.ts";
import type { EntryFields } from "./chain.ts";
import type { OpenCall } from "./open-calls.ts";

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
 * What a new instance must write for the calls that earlier ones left open: one recovery session for each interrupted
 * session.
 *
 * @param policyHash the policy bundle the new instance runs; a fault entry names it beside the one the call was decided
 * under.
 */
export function planRecovery(openCalls: readonly OpenCall[], policyHash: string): RecoveryStep[] {
  const sessions = Map.groupBy(openCalls, ({ session }) => session);
  return [...sessions].flatMap(([session, calls]) => {
    const [first] = calls;
    if (first === undefined) return [];
    const rootDetail = {
      recovered_instance: first.instance,
      recovered_session: session,
      recovered_tip: first.tip,
      recovered_length: first.length,
      recovered_intents_hash: hash("sha256", canonicalBytes(calls.map(({ intent }) => intent))),
    };
    return [{ rootDetail, faults: calls.map((call) => faultOf(call, policyHash)) }];
  });
}

function faultOf({ intent, session }: OpenCall, policyHash: string): EntryFields {
  const { idempotency_key: key, idempotency_request: request } = intent;
  return {
    entry_type: "tool_call",
    call_id: intent.call_id,
    tool_name: intent.tool_name,
    server_identity: intent.server_identity,
    workflow_id: intent.workflow_id,
    policy_decision: "fault",
    policy_rule_matched: "outcome-unknown",
    request_payload_hash: intent.request_hash,
    session_sensitivity_before: intent.session_sensitivity,
    session_sensitivity_after: intent.session_sensitivity,
    response_inspection_result: "n/a",
    detail: {
      // What the call could return counts for its principal.
      principal: intent.principal,
      ...(intent.compartments === undefined ? {} : { compartments: intent.compartments }),
      ...(intent.integrity === undefined ? {} : { integrity: intent.integrity }),
      // Whoever asks for the call by its key learns that nobody knows.
      ...callKeyDetail(key === undefined || request === undefined ? null : { key, request }),
      outcome: "unknown",
      policy_hash: policyHash,
      recovered_policy_hash: intent.policy_hash,
      ...(intent.catalog_hash === undefined ? {} : { recovered_catalog_hash: intent.catalog_hash }),
      recovered_session: session,
      recovered_tip_before: intent.tip_before,
    },
  };
}
