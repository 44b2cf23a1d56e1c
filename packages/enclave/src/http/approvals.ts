import { webcrypto } from "node:crypto";
import { MAX_ANSWER_BYTES, readAnswer, verifyAnswer, type Approver, type SignedAnswer } from "@cmcp/approval";
import { canonicalText, CmcpError, untrusted } from "@cmcp/boundary";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Approvers } from "../access/approvers.ts";
import type { PendingApproval, PendingApprovals, Standing } from "../call/pending-approvals.ts";
import type { Journal } from "../record/journal.ts";
import type { Recorder } from "../record/recorder.ts";
import type { RulesHashes } from "../instance/report.ts";
import { json } from "./json-response.ts";
import type { Ingress } from "./sealed-requests.ts";
import { wholeBody } from "./whole-body.ts";

/** Paths of approvers. A statement of access, and then a token of the enclave's, authenticates them. */
export const APPROVALS_PATH = /^\/approvals(?:\/([A-Za-z0-9_-]{1,64})(\/answer)?)?$/;

/** What the endpoints of approvers need. */
export interface ApprovalEndpointPorts {
  readonly approvers: Pick<Approvers, "admit" | "authenticate">;
  readonly pending: PendingApprovals;
  readonly recorder: Pick<Recorder, "note">;
  readonly journal: Pick<Journal, "assertWritable" | "cosigned">;
  /** Hash of the policy in force. */
  /** Of policy and catalog in force. */
  readonly hashes: () => RulesHashes;
  /** Whether requests may come in the clear: in development. */
  readonly plainAllowed: boolean;
}

/**
 * `POST /approvals/access`, `GET /approvals`, `GET /approvals/{id}` and `POST /approvals/{id}/answer`. An approver sees only what it may
 * answer. Requests are sealed, so that the host reads neither arguments nor answers.
 *
 * @throws CmcpError `SEAL_REQUIRED`, `METHOD_NOT_ALLOWED`, `MCP_PAYLOAD_TOO_LARGE`, `APPROVAL_*`
 */
export async function approvals(
  parts: ApprovalEndpointPorts,
  request: HttpRequest,
  ingress: Ingress,
): Promise<HttpResponse> {
  if (ingress.channel === "plain" && !parts.plainAllowed)
    throw new CmcpError("SEAL_REQUIRED", "approvers' requests come only under the seal");
  const [, id, answer] = APPROVALS_PATH.exec(new URL(request.url).pathname) ?? [];
  if (id === "access" && answer === undefined) {
    requireMethod(request, "POST");
    const admitted = await parts.approvers.admit(await statementIn(request));
    ingress.authenticated();
    return json(admitted);
  }
  const approver = parts.approvers.authenticate(request.headers.get("authorization"));
  ingress.authenticated();
  requireMethod(request, answer === undefined ? "GET" : "POST");
  if (id === undefined) return json({ approvals: parts.pending.waitingFor(approver.id).map(summary) });
  const pending = parts.pending.ofId(id);
  if (pending === undefined || !pending.request.approvers.includes(approver.id)) throw unknown();
  if (answer === undefined) return { ...json({}), body: pending.signed };
  return json(await takeAnswer(parts, { pending, approver }, await statementIn(request)));
}

function summary({ request, hash }: PendingApproval): object {
  const { approval_id, principal, target, rule, needed, issued_at, expires_at } = request;
  return { approval_id, request_hash: hash, principal, target, rule, needed, issued_at, expires_at };
}

/** Verifies an answer, records it, and counts it once it is stored and, where there are witnesses, cosigned. */
async function takeAnswer(
  parts: ApprovalEndpointPorts,
  { pending, approver }: { readonly pending: PendingApproval; readonly approver: Approver },
  bytes: Uint8Array,
): Promise<object> {
  const signed = readAnswer(untrusted(bytes));
  const { answer } = signed;
  if (answer.approval_id !== pending.request.approval_id || answer.request_hash !== pending.hash)
    throw new CmcpError("APPROVAL_ANSWER_INVALID", "the answer is to another request", {
      detail: { check: "request" },
    });
  await verifyAnswer(webcrypto, approver, signed);
  if (pending.request.policy_hash !== parts.hashes().policy)
    throw new CmcpError("APPROVAL_UNKNOWN", "another policy is in force since, which decides the call anew");
  if (pending.request.catalog_hash !== parts.hashes().catalog)
    throw new CmcpError("APPROVAL_UNKNOWN", "another catalog is in force since, under which the call is decided anew");
  parts.journal.assertWritable();
  const { recorded } = pending;
  if (!recorded.lifecycle.takesEntries || recorded.chain.room === 0 || recorded.id !== pending.request.session_id)
    throw new CmcpError("APPROVAL_UNKNOWN", "the session of the call is over");
  parts.pending.begin(pending, approver.id);
  try {
    await record(parts, { pending, approver }, signed);
    await parts.journal.cosigned();
  } catch (thrown) {
    parts.pending.abandon(pending, approver.id);
    throw thrown;
  }
  const standing = parts.pending.settle(pending, answer);
  return { approval_id: answer.approval_id, decision: answer.decision, ...standingMembers(pending, standing) };
}

function standingMembers({ request: { needed } }: PendingApproval, standing: Standing | null): object {
  if (standing === null) return { state: "gone", needed };
  const approvals = standing.state === "waiting" ? standing.approvals : standing.state === "approved" ? needed : 0;
  return { state: standing.state, approvals, needed };
}

/** The entry of an answer. It holds the approver and the signature, so that anybody can verify it, and nothing of the call. */
async function record(
  { recorder }: ApprovalEndpointPorts,
  { pending, approver }: { readonly pending: PendingApproval; readonly approver: Approver },
  signed: SignedAnswer,
): Promise<void> {
  const { answer } = signed;
  const { request, recorded } = pending;
  await recorder.note(recorded, {
    entry_type: "approval",
    call_id: request.call_id,
    detail: {
      approval_id: answer.approval_id,
      approval_request: answer.request_hash,
      approver: answer.approver,
      approver_key: canonicalText(approver),
      approval_decision: answer.decision,
      ...(answer.reason === undefined ? {} : { approval_reason: answer.reason }),
      ...("signature" in signed ? { approval_signature: signed.signature } : signed.assertion),
    },
  }).stored;
}

async function statementIn(request: HttpRequest): Promise<Uint8Array<ArrayBuffer>> {
  return await wholeBody(request, MAX_ANSWER_BYTES, "an approver's statement");
}

function requireMethod({ method }: HttpRequest, wanted: string): void {
  if (method !== wanted) throw new CmcpError("METHOD_NOT_ALLOWED", `this path takes ${wanted}`);
}

function unknown(): CmcpError {
  return new CmcpError("APPROVAL_UNKNOWN", "there is no such approval for this approver");
}
