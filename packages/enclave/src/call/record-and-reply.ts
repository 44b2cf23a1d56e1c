import { performance } from "node:perf_hooks";
import type { JsonObject } from "@cmcp/boundary";
import { dataLabelDetail, RECEIPT_META_KEY, type AuditEntry, type EntryFields, type Receipt } from "@cmcp/audit";
import { approvedOf, nameOf, type CatalogServer } from "@cmcp/catalog";
import { CLAIM_META_KEY, claimHash, type Claim } from "@cmcp/claim";
import { withGatewayMembers, type Peer, type RpcBody } from "@cmcp/mcp";
import { joinLabels, LOWEST, recordCall, type Vocabulary } from "@cmcp/session";
import { callerDetail } from "../access/caller.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { workflowOf, type Call } from "./call.ts";
import { dataLabel } from "./data-label.ts";
import type { Ending } from "./ending.ts";
import { keepDelivered } from "./find-flows.ts";
import { invokedToolOf } from "./invoked-tool.ts";
import type { Transcript } from "./transcript.ts";

/** Key of a result's `_meta` with the kill switch's receipt. */
const REFUSAL_META_KEY = "cmcp.gateway/kill-switch-refusal";

/** What recording an ending needs. */
export interface RecordPorts {
  readonly vocabulary: Vocabulary;
  readonly recordDecision: (recorded: RecordedSession, fields: EntryFields) => Promise<Receipt>;
  readonly evidenceOf: (server: CatalogServer) => AuditEntry["evidence_class"];
  /** The signed receipt for a call that the kill switch refused. */
  readonly refusalReceipt: (recorded: RecordedSession) => JsonObject;
  /** Makes a claim over the open session; `null` if calls do not get one. */
  readonly claim: ((recorded: RecordedSession) => Promise<Claim>) | null;
}

/** An ending, and how to present it to the agent. */
export interface Reply {
  readonly ending: Ending;
  readonly peer: Pick<Peer, "present">;
  /** The messages that the agent got before. */
  readonly transcript: Transcript;
}

/** Writes the call's one entry, waits until the host has stored it, and attaches the receipt. The entry commits to every message that the agent gets. */
export async function recordAndReply(
  call: Call,
  { ending, peer, transcript }: Reply,
  ports: RecordPorts,
): Promise<RpcBody> {
  const body = peer.present(ending.outcome);
  const { target, sent, hasServerText } = ending;
  if (target !== null && sent && ("result" in body || hasServerText))
    keepDelivered(call, target, dataLabel(ports.vocabulary, call, target, hasServerText), messageOf(body));
  transcript.add(messageOf(body));
  const receipt = await ports.recordDecision(call.recorded, {
    ...entryOf(call, ending, ports),
    response_payload_hash: transcript.digest(),
  });
  const claim = ports.claim === null ? null : claimReference(await ports.claim(call.recorded));
  const stopped = ending.detail["error_code"] === "KILL_SWITCH_TRIPPED";
  const refusal = stopped ? ports.refusalReceipt(call.recorded) : null;
  const beside = "result" in body ? besideResult(receipt, claim, refusal) : besideError(receipt, claim, refusal);
  return withGatewayMembers(body, beside);
}

/** The members that the gateway adds to a result's `_meta`. */
function besideResult(receipt: Receipt, claim: JsonObject | null, refusal: JsonObject | null): JsonObject {
  return {
    [RECEIPT_META_KEY]: { ...receipt },
    ...(claim === null ? {} : { [CLAIM_META_KEY]: claim }),
    ...(refusal === null ? {} : { [REFUSAL_META_KEY]: refusal }),
  };
}

/**
 * The members that the gateway adds to an error's data. Where the kill switch refuses, readers of the common format find its receipt at
 * `receipt`; the call's own is then under the key that it has in results.
 */
function besideError(receipt: Receipt, claim: JsonObject | null, refusal: JsonObject | null): JsonObject {
  const receipts =
    refusal === null ? { receipt: { ...receipt } } : { receipt: refusal, [RECEIPT_META_KEY]: { ...receipt } };
  return { call_id: receipt.call_id, ...receipts, ...(claim === null ? {} : { claim }) };
}

/** The last message of a call, as the record commits to it. */
function messageOf(body: RpcBody): JsonObject {
  return "result" in body ? { result: body.result } : { error: { ...body.error } };
}

function entryOf(call: Call, ending: Ending, { vocabulary, evidenceOf }: RecordPorts): EntryFields {
  const { target, decision, sent } = ending;
  const { caller, recorded, request, policy } = call;
  const approved = target === null ? null : approvedOf(target);
  const ofTarget = target === null ? LOWEST : dataLabel(vocabulary, call, target, ending.hasServerText);
  const found = ending.compartments ?? LOWEST.compartments;
  const data = joinLabels(ofTarget, { compartments: found, integrity: "trusted" });
  const tool = target === null ? null : invokedToolOf(target);
  const sensitivity = recordCall(recorded.session, { callId: call.id, tool, decision, sent, data });
  return {
    entry_type: "tool_call",
    call_id: call.id,
    tool_name: target === null ? request.name : nameOf(target),
    server_identity: approved?.server.identity ?? null,
    policy_decision: decision,
    policy_rule_matched: ending.rule,
    latency_us: Math.round((performance.now() - call.startedAt) * 1000),
    request_payload_hash: ending.requestHash ?? call.requestHash,
    response_inspection_result: ending.inspection,
    session_sensitivity_before: sensitivity.before,
    session_sensitivity_after: sensitivity.after,
    detail: {
      policy_hash: policy.bundle.hash,
      ...callerDetail(caller),
      // An entry without a method is a tool call.
      ...(request.method === "tools/call" ? {} : { method: request.method }),
      ...(sent && approved !== null ? { compliance_domain: approved.complianceDomain } : {}),
      ...dataLabelDetail(data),
      ...ending.detail,
    },
    workflow_id: workflowOf(call.policyRequest),
    evidence_class: approved === null ? "hash-only" : evidenceOf(approved.server),
    effective_data_class: target === null ? null : vocabulary.linear(data.compartments),
  };
}

function claimReference(claim: Claim): JsonObject {
  return { sequence_number: claim.gateway.sequence_number, claim_hash: claimHash(claim) };
}
