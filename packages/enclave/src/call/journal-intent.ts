import { approvedOf, nameOf } from "@cmcp/catalog";
import type { Intent } from "@cmcp/audit";
import { sensitivityOfCall, type Vocabulary } from "@cmcp/session";
import type { RecordedSession } from "../record/recorded-session.ts";
import { workflowOf, type Call } from "./call.ts";
import { fail, proceed, type Step } from "./ending.ts";
import { invokedToolOf } from "./invoked-tool.ts";
import type { Permit } from "./permit.ts";

/** What journalling an intent needs. */
export interface IntentPorts {
  readonly vocabulary: Vocabulary;
  readonly recordIntent: (
    recorded: RecordedSession,
    intent: Omit<Intent, "session_id" | "tip_before">,
  ) => Promise<void>;
}

/** Stores the call's intent with the host and waits for the acknowledgement. Nothing is sent before that. */
export async function journalIntent(call: Call, permit: Permit, ports: IntentPorts): Promise<Step<null>> {
  const { recorded, policyRequest, request } = call;
  const { target } = permit;
  const sensitivity = sensitivityOfCall(ports.vocabulary, invokedToolOf(target), request.dataClass);
  try {
    await ports.recordIntent(recorded, {
      call_id: call.id,
      tool_name: nameOf(target),
      server_identity: approvedOf(target).server.identity,
      workflow_id: workflowOf(policyRequest),
      request_hash: call.requestHash,
      policy_hash: call.policy.bundle.hash,
      session_sensitivity: ports.vocabulary.max(recorded.session.sensitivity, sensitivity),
    });
    return proceed(null);
  } catch (thrown) {
    return fail(permit, thrown);
  }
}
