import { performance } from "node:perf_hooks";
import type { JsonObject } from "@cmcp/boundary";
import {
  callKeyDetail,
  dataLabelDetail,
  RECEIPT_META_KEY,
  SALTS_META_KEY,
  type AuditEntry,
  type KeptPayloads,
  type EntryFields,
  type Receipt,
} from "@cmcp/audit";
import { approvedOf, nameOf, recordedIdentity, type CatalogServer } from "@cmcp/catalog";
import { CLAIM_META_KEY, claimHash, type Claim } from "@cmcp/claim";
import { committedMessage, withGatewayMembers, type Peer, type RpcBody } from "@cmcp/mcp";
import { joinLabels, LOWEST, recordCall, type Vocabulary } from "@cmcp/session";
import { callerDetail } from "../access/caller.ts";
import type { SessionRef } from "../servers/server-session.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { sessionOf, workflowOf, type Call } from "./call.ts";
import { dataLabel } from "./data-label.ts";
import type { Detail, Ending } from "./ending.ts";
import { keepDelivered } from "./find-flows.ts";
import type { WorkflowPorts } from "./check-workflow.ts";
import { invokedToolOf } from "./invoked-tool.ts";

/** Key of a result's `_meta` with the kill switch's receipt. */
const REFUSAL_META_KEY = "cmcp.gateway/kill-switch-refusal";

/** What recording an ending needs. */
export interface RecordPorts {
  readonly vocabulary: Vocabulary;
  /** Writes the entry, and what auditors are to have of the call. */
  readonly recordDecision: (
    recorded: RecordedSession,
    fields: EntryFields,
    kept: KeptPayloads | null,
  ) => Promise<Receipt>;
  /** Whether the catalog can change, so that entries say under which one a call was decided. */
  readonly namesCatalog: boolean;
  readonly mayUse: WorkflowPorts["mayUse"];
  readonly evidenceOf: (server: CatalogServer) => AuditEntry["evidence_class"];
  /** What an entry says of a server, and of the grant that requests to it have. */
  readonly serverDetail: (server: CatalogServer, session: SessionRef) => Detail;
  /** The signed receipt for a call that the kill switch refused. */
  readonly refusalReceipt: (recorded: RecordedSession) => JsonObject;
  /** Makes a claim over the open session; `null` if calls do not get one. */
  readonly claim: ((recorded: RecordedSession) => Promise<Claim>) | null;
}

/** An ending, and how to present it to the agent. */
export interface Reply {
  readonly ending: Ending;
  readonly peer: Pick<Peer, "present">;
}

/**
 * Writes the call's one entry, waits until the host has stored it, and attaches the receipt, and with a sealed answer the salts. The entry
 * commits to every message that the agent gets.
 */
export async function recordAndReply(call: Call, { ending, peer }: Reply, ports: RecordPorts): Promise<RpcBody> {
  const body = peer.present(ending.outcome);
  const { target, sent, hasServerText } = ending;
  if (target !== null && sent && ("result" in body || hasServerText))
    keepDelivered(call, target, dataLabel(ports.vocabulary, call, target, hasServerText), committedMessage(body));
  const { commitments, recorded } = call;
  commitments.response.add(committedMessage(body));
  const requestHash = ending.requestHash ?? call.requestHash;
  const fields: EntryFields = {
    ...entryOf(call, ending, ports),
    request_payload_hash: requestHash,
    response_payload_hash: commitments.response.digest(),
  };
  const receipt = await ports.recordDecision(recorded, fields, commitments.payloads(requestHash));
  const claim = ports.claim === null ? null : claimReference(await ports.claim(call.recorded));
  const stopped = ending.detail["error_code"] === "KILL_SWITCH_TRIPPED";
  const refusal = stopped ? ports.refusalReceipt(call.recorded) : null;
  const attached = { receipt, salts: saltsOf(call, ending, receipt), claim, refusal };
  return withGatewayMembers(body, "result" in body ? besideResult(attached) : besideError(attached));
}

/** What the gateway attaches to an answer. */
interface Attached {
  readonly receipt: Receipt;
  readonly salts: JsonObject | null;
  readonly claim: JsonObject | null;
  readonly refusal: JsonObject | null;
}

/**
 * What opens the two commitments of a sealed call's receipt; `null` for a plain one, as its host would read them. Where the agent's answers
 * were not sent as it wrote them, what was sent of them stands beside the salts.
 */
function saltsOf(
  { commitments, requestHash }: Call,
  { requestHash: sent = requestHash, inputResponses }: Ending,
  { channel }: Receipt,
): JsonObject | null {
  if (channel === "plain") return null;
  return { ...commitments.salts(), ...(sent === requestHash ? {} : { inputResponses: inputResponses ?? {} }) };
}

/** The members that the gateway adds to a result's `_meta`. */
function besideResult({ receipt, salts, claim, refusal }: Attached): JsonObject {
  return {
    [RECEIPT_META_KEY]: { ...receipt },
    ...(salts === null ? {} : { [SALTS_META_KEY]: salts }),
    ...(claim === null ? {} : { [CLAIM_META_KEY]: claim }),
    ...(refusal === null ? {} : { [REFUSAL_META_KEY]: refusal }),
  };
}

/**
 * The members that the gateway adds to an error's data. Where the kill switch refuses, readers of the common format find its receipt at
 * `receipt`; the call's own is then under the key that it has in results.
 */
function besideError({ receipt, salts, claim, refusal }: Attached): JsonObject {
  const receipts =
    refusal === null ? { receipt: { ...receipt } } : { receipt: refusal, [RECEIPT_META_KEY]: { ...receipt } };
  return {
    call_id: receipt.call_id,
    ...receipts,
    ...(salts === null ? {} : { salts }),
    ...(claim === null ? {} : { claim }),
  };
}

/**
 * What a record calls a name that the catalog does not have, or a workflow that is not the caller's: the host reads
 * records, and what a caller typed may be anything.
 */
const UNKNOWN_NAME = "(unknown)";

function entryOf(call: Call, ending: Ending, ports: RecordPorts): EntryFields {
  const { vocabulary, namesCatalog, mayUse, evidenceOf, serverDetail } = ports;
  const { target, decision, sent } = ending;
  const { caller, recorded, request, policy, catalog } = call;
  const { workflowId } = call.policyRequest;
  const approved = target === null ? null : approvedOf(target);
  const ofTarget = target === null ? LOWEST : dataLabel(vocabulary, call, target, ending.hasServerText);
  const found = ending.compartments ?? LOWEST.compartments;
  const data = joinLabels(ofTarget, { compartments: found, integrity: "trusted" });
  const tool = target === null ? null : invokedToolOf(target);
  const sensitivity = recordCall(recorded.session, { callId: call.id, tool, decision, sent, data });
  return {
    entry_type: "tool_call",
    call_id: call.id,
    tool_name: target === null ? UNKNOWN_NAME : nameOf(target),
    server_identity: approved === null ? null : recordedIdentity(approved.server),
    policy_decision: decision,
    policy_rule_matched: ending.rule,
    latency_us: Math.round((performance.now() - call.startedAt) * 1000),
    response_inspection_result: ending.inspection,
    session_sensitivity_before: sensitivity.before,
    session_sensitivity_after: sensitivity.after,
    detail: {
      policy_hash: policy.bundle.hash,
      ...(namesCatalog ? { catalog_hash: catalog.hash } : {}),
      ...callerDetail(caller),
      // An entry without a method is a tool call.
      ...(request.method === "tools/call" ? {} : { method: request.method }),
      ...(sent && approved !== null
        ? {
            compliance_domain: approved.complianceDomain,
            ...serverDetail(approved.server, sessionOf(call)),
            ...provenanceDetail(approved.server),
          }
        : {}),
      ...dataLabelDetail(data),
      ...callKeyDetail(call.keyed),
      ...commitmentDetail(call),
      ...ending.detail,
    },
    workflow_id: workflowId === null || mayUse(caller, workflowId) ? workflowOf({ workflowId }) : UNKNOWN_NAME,
    evidence_class: approved === null ? "hash-only" : evidenceOf(approved.server),
    effective_data_class: target === null ? null : vocabulary.linear(data.compartments),
  };
}

/** Who signed what the server of a sent call is. Its list was held to that before. */
function provenanceDetail({ settings }: CatalogServer): Detail {
  const provenance = settings?.provenance ?? null;
  return provenance === null ? {} : { server_provenance: provenance.kind, server_publisher: provenance.publisher };
}

/** Commitments that have no member of their own in an entry; absent where there is nothing to commit to. */
function commitmentDetail({ commitments: { upstream, cedar } }: Call): Detail {
  return {
    ...(upstream.length === 0 ? {} : { upstream_response_hash: upstream.digest() }),
    ...(cedar.length === 0 ? {} : { cedar_request_commitment: cedar.digest() }),
  };
}

function claimReference(claim: Claim): JsonObject {
  return { sequence_number: claim.gateway.sequence_number, claim_hash: claimHash(claim) };
}
