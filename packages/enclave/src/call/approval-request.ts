import { createHash, randomBytes } from "node:crypto";
import { ID_BYTES, REQUEST_FORMAT, SALT_BYTES, type ApprovalRequest } from "@cmcp/approval";
import { canonicalText, CmcpError, toBase64Url } from "@cmcp/boundary";
import { approvedOf } from "@cmcp/catalog";
import type { ApprovalTerms } from "@cmcp/policy";
import { workflowOf, type Call } from "./call.ts";
import type { ContentFindings } from "./content-findings.ts";
import { argumentDetail } from "./decide-delivery.ts";
import type { Ending } from "./ending.ts";

/** A refusal that approvals lift. */
export interface Approvable {
  readonly rule: string;
  readonly terms: ApprovalTerms;
}

/** What the statement says beside the call. */
export interface ApprovalRequestPorts {
  readonly content: ContentFindings;
  /** Name of the log. */
  readonly origin: string;
  /** RFC 7638 thumbprint of the instance's key, base64url. */
  readonly instance: string;
  /** How long a call waits, in seconds. */
  readonly seconds: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Methods whose parameters a request for approval shows in full. */
const SHOWN: ReadonlySet<string> = new Set(["tools/call", "resources/read", "prompts/get"]);
/** Longest name or URI that is shown. */
const MAX_NAME = 4_096;

/** Whether the agent's request is one of those that approvals are about, beside those about tasks. */
export function isPlainCall({ request, task }: Pick<Call, "request" | "task">): boolean {
  return task === null && SHOWN.has(request.method);
}

/**
 * Whether an approver can be shown all that would be sent. Answers are shown beside the questions that they belong to, so they need a
 * state or a task that has these. Of requests about a task, answers are sent, and results are delivered.
 */
export function isShown(call: Pick<Call, "request" | "policyRequest" | "task">): boolean {
  const { request, policyRequest, task } = call;
  const { input, completion } = request;
  if (completion !== null || policyRequest.name.length > MAX_NAME) return false;
  return isPlainCall(call) ? input === null || input.state !== null : task !== null;
}

/** One call of one session, under one policy and catalog, refused by one rule. Any change of what is sent makes it another. */
export function approvalKey({ recorded, caller, request, policyRequest, policy, catalog }: Call, rule: string): string {
  const { id, principalId } = recorded.session;
  const { method, name, dataClass, task, input } = request;
  const { name: target, arguments: args, workflowId } = policyRequest;
  const whose = [principalId, id, recorded.id, caller.channel];
  const asTask = task === null ? null : [task.ttlMs];
  const answers = input === null ? null : [input.responses === null ? null : { ...input.responses }, input.state];
  return createHash("sha256")
    .update(canonicalText([whose, method, name, target, args, workflowId, dataClass, asTask, answers]))
    .update(canonicalText([policy.bundle.hash, catalog.hash, rule]))
    .digest("base64url");
}

/** What approvers are asked about a call, or about the result that its ending holds. */
export function approvalRequestFor(
  call: Call,
  { target, flows, held, answers }: Ending,
  { rule, terms, eligible }: Approvable & { readonly eligible: readonly string[] },
  ports: ApprovalRequestPorts,
): ApprovalRequest {
  const { id, recorded, request, policyRequest, policy } = call;
  const { session } = recorded;
  if (target === null) throw new CmcpError("INTERNAL", "a call without a target waits for no approval");
  const issued = Math.floor(ports.now() / 1000);
  return {
    format: REQUEST_FORMAT,
    approval_id: newId(),
    origin: ports.origin,
    instance: ports.instance,
    principal: session.principalId,
    session_id: recorded.id,
    call_id: id,
    subject: held === undefined ? "call" : "result",
    target: { method: request.method, name: policyRequest.name, server: approvedOf(target).server.identity },
    workflow_id: workflowOf(policyRequest),
    arguments: policyRequest.arguments,
    ...taskMember(call),
    ...(answers === undefined ? {} : { answers }),
    ...(held === undefined ? {} : { result: held.result }),
    flows: flowsMember(flows),
    findings: findingsMember(call, ports),
    labels: { compartments: [...session.maxCompartments], integrity: session.integrity },
    policy_hash: policy.bundle.hash,
    catalog_hash: call.catalog.hash,
    rule,
    reason: terms.reason,
    needed: terms.needed,
    approvers: [...eligible],
    issued_at: issued,
    expires_at: issued + ports.seconds,
    salt: toBase64Url(randomBytes(SALT_BYTES)),
  };
}

function taskMember({ request, task }: Call): Pick<ApprovalRequest, "task"> {
  if (task !== null) return { task: { id: task.id } };
  return request.task === null ? {} : { task: { ttl: request.task.ttlMs } };
}

function findingsMember(call: Call, { content }: ApprovalRequestPorts): ApprovalRequest["findings"] {
  const found = Object.entries(argumentDetail(call, { content }));
  return Object.fromEntries(found.filter((entry): entry is [string, number] => typeof entry[1] === "number"));
}

function flowsMember(flows: Ending["flows"]): ApprovalRequest["flows"] {
  if (flows === undefined) return null;
  const found = flows.flows.map(({ source, kind, path, coverage }) => ({
    source_server: source.server,
    source_tool: source.tool,
    labels: [...source.labels],
    kind,
    path: path.slice(0, 128).toWellFormed(),
    coverage,
  }));
  return { found: found.slice(0, 64), complete: flows.complete && found.length <= 64 };
}

/** A random id. It begins with no dash, so that a command can take it as an argument. */
function newId(): string {
  const id = toBase64Url(randomBytes(ID_BYTES));
  return id.startsWith("-") ? newId() : id;
}
