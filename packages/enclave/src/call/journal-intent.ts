import { CmcpError } from "@cmcp/boundary";
import { approvedOf, nameOf, recordedIdentity } from "@cmcp/catalog";
import { callKeyDetail, sessionLabelDetail } from "@cmcp/audit";
import { joinLabels, type Vocabulary } from "@cmcp/session";
import type { CallIntent } from "../record/recorder.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { workflowOf, type Call } from "./call.ts";
import { fail, proceed, type Step } from "./ending.ts";
import { dataLabel } from "./data-label.ts";
import type { FindingLabels } from "./finding-labels.ts";
import type { Permit } from "./permit.ts";

/** What journalling an intent needs. */
export interface IntentPorts {
  readonly vocabulary: Vocabulary;
  readonly labels: Pick<FindingLabels, "all">;
  readonly recordIntent: (recorded: RecordedSession, intent: CallIntent) => Promise<void>;
  /** Whether the catalog can change, so that the record says under which one a call was decided. */
  readonly namesCatalog: boolean;
  /** Whether the log has witnesses. */
  readonly hasWitnesses: boolean;
}

/**
 * Stores the call's intent with the host and waits for the acknowledgement, and for witnesses if the log has any.
 * Nothing is sent before that.
 */
export async function journalIntent(call: Call, permit: Permit, ports: IntentPorts): Promise<Step<null>> {
  const { recorded, policyRequest } = call;
  const { target } = permit;
  const seen = joinLabels(recorded.session, dataLabel(ports.vocabulary, call, target, true));
  // Whoever recovers the call cannot know what would have been found.
  const { compartments, integrity } = joinLabels(seen, { compartments: ports.labels.all, integrity: "trusted" });
  try {
    await ports.recordIntent(recorded, {
      call_id: call.id,
      tool_name: nameOf(target),
      server_identity: recordedIdentity(approvedOf(target).server),
      workflow_id: workflowOf(policyRequest),
      request_hash: call.requestHash,
      policy_hash: call.policy.bundle.hash,
      ...(ports.namesCatalog ? { catalog_hash: call.catalog.hash } : {}),
      session_sensitivity: ports.vocabulary.linear(compartments),
      ...sessionLabelDetail({ compartments, integrity }),
      ...callKeyDetail(call.keyed),
    });
    return proceed(null);
  } catch (thrown) {
    return fail(permit, thrown);
  }
}

/**
 * Stores the intent of a call again before an answer of its agent goes to the server, and waits for witnesses. The
 * agent may have been shown data by another instance since the call was sent, and that instance's log has no further
 * intent of this one. Without witnesses nothing would show that.
 * @throws CmcpError `WITNESS_UNAVAILABLE`, `AUDIT_STORE_UNAVAILABLE`; the answer does not leave
 */
export async function journalAnswer(call: Call, permit: Permit, ports: IntentPorts): Promise<void> {
  if (!ports.hasWitnesses) return;
  const step = await journalIntent(call, permit, ports);
  if (step.kind === "continue") return;
  const code = step.outcome.kind === "error" ? step.outcome.code : "TEE_FAULT";
  throw new CmcpError(code, "the agent's answer was not sent: its record could not be made", { detail: { sent: 1 } });
}
