import type { ApprovalRequest } from "@cmcp/approval";
import { CmcpError, asCmcpError, type ErrorCode, type JsonObject } from "@cmcp/boundary";
import type { AuditEntry } from "@cmcp/audit";
import type { Target } from "@cmcp/catalog";
import { inspectError } from "@cmcp/inspection";
import { UpstreamRefusal, refused as refusalOutcome, type Outcome } from "@cmcp/mcp";
import type { Flows } from "@cmcp/flows";
import type { ApprovalTerms, DisclosureTerms } from "@cmcp/policy";
import type { CallDecision, Compartments } from "@cmcp/session";
import type { Permit } from "./permit.ts";

/** Members of an entry's `detail`. */
export type Detail = Readonly<Record<string, string | number>>;

/** Answers to a server's questions, by the question's id. */
export type Answers = NonNullable<ApprovalRequest["answers"]>;

/** How a call ended: what the entry says, and what the agent gets. */
export interface Ending {
  readonly kind: "ending";
  readonly target: Target | null;
  readonly decision: CallDecision;
  readonly rule: string;
  /** Whether the request may have reached the server. If so, the data it could return counts as seen. */
  readonly sent: boolean;
  /** Whether the agent gets free text that the server chose. */
  readonly hasServerText: boolean;
  readonly outcome: Outcome;
  readonly inspection: AuditEntry["response_inspection_result"];
  readonly detail: Detail;
  /** What lifts the refusal; absent where no approval does. */
  readonly approvable?: { readonly rule: string; readonly terms: ApprovalTerms };
  /** Whose permission lifts the refusal; absent where nobody's does. */
  readonly disclosable?: { readonly rule: string; readonly owners: readonly string[] };
  /** The result that a refused delivery holds back; absent where there is none that approvals could deliver. */
  readonly held?: HeldResult;
  /** Earlier results that stand in what a refused call would send; absent where no rule reads them. */
  readonly flows?: Flows;
  /** Compartments that findings add to those of the target. */
  readonly compartments?: Compartments;
  /** Where a person has to consent before the call can be sent; absent where none has to. */
  readonly consentUrl?: string;
  /** Hash of the request as sent, if that differs from the request as received. */
  readonly requestHash?: string;
  /** What of the agent's answers is in that request; `null` for none. */
  readonly inputResponses?: JsonObject | null;
  /** The agent's answers, each with its question; absent for a request without any. */
  readonly answers?: Answers;
}

/** An inspected result that was not delivered, and how to inspect it again under a permit that redacts more. */
export interface HeldResult {
  readonly ending: Ending;
  readonly permit: Permit;
  readonly result: JsonObject;
  readonly inspectAs: (permit: Permit) => Ending;
}

/** What a stage returns: a value for the next stage, or an ending. */
export type Step<T> = { readonly kind: "continue"; readonly value: T } | Ending;

/** Continues with the next stage. */
export function proceed<T>(value: T): Step<T> {
  return { kind: "continue", value };
}

/** Why a call is not sent. The message never names the policy rule. */
export interface Refusal {
  readonly rule: string;
  readonly code: ErrorCode;
  readonly message: string;
  /** `step_up`: a person could allow it. `defer`: a later decision could. */
  readonly decision?: "deny" | "step_up" | "defer";
  /** What lifts it; absent where no approval does. */
  readonly approval?: ApprovalTerms;
  /** Whose permission lifts it; absent where nobody's does. */
  readonly disclosure?: DisclosureTerms;
  /** More data for the agent, from its own request alone. */
  readonly data?: JsonObject;
}

/** The ending of a call that was not sent. */
export function refuse(
  target: Target | null,
  { rule, code, message, decision = "deny", approval, disclosure, data = {} }: Refusal,
): Ending {
  const outcome = refusalOutcome(code, message);
  return {
    kind: "ending",
    target,
    decision,
    rule,
    sent: false,
    hasServerText: false,
    outcome: { ...outcome, data: { ...outcome.data, ...data } },
    inspection: "n/a",
    detail: { error_code: code },
    ...(approval === undefined ? {} : { approvable: { rule, terms: approval } }),
    ...(disclosure === undefined ? {} : { disclosable: { rule, owners: disclosure.owners } }),
  };
}

/** The ending of a call that failed, before or after it was sent. */
export function fail(permit: Permit, thrown: unknown, counts: Detail = {}): Ending {
  const error = asCmcpError(thrown, "TEE_FAULT", "the call failed inside the gateway");
  const outcome = reachOf(error);
  return {
    kind: "ending",
    target: permit.target,
    decision: "fault",
    rule: permit.rule,
    sent: outcome !== "not-sent",
    hasServerText: error instanceof UpstreamRefusal,
    outcome: faultOutcome(error, permit.redactFields.length > 0),
    inspection: "n/a",
    detail: { error_code: error.code, outcome, ...identityFault(error), ...counts },
    ...consentOf(error),
  };
}

/** Where a person has to consent. It is no part of the entry: the state in it is for that person's browser. */
function consentOf({ code, detail: { consent_url: url } }: CmcpError): Pick<Ending, "consentUrl"> {
  return code === "CONSENT_REQUIRED" && typeof url === "string" ? { consentUrl: url } : {};
}

/** Why the server was not taken for the approved one; empty for another fault. */
function identityFault({ code, detail: { reason } }: CmcpError): Detail {
  return code !== "UPSTREAM_IDENTITY_MISMATCH" || reason === undefined ? {} : { identity_fault: reason };
}

/** The outcome that the agent gets for a fault. A server's own JSON-RPC error is inspected first. */
function faultOutcome(error: CmcpError, withholdText: boolean): Outcome {
  const outcome = refusalOutcome(error.code, error.message);
  if (!(error instanceof UpstreamRefusal)) return outcome;
  const serverError = { code: error.rpcCode, message: error.rpcMessage, data: error.rpcData };
  return { ...outcome, rpc: inspectError(serverError, { withholdText, instead: "the tool server refused the call" }) };
}

/** Errors of storing an intent. */
const BEFORE_SENDING: ReadonlySet<ErrorCode> = new Set(["AUDIT_STORE_UNAVAILABLE", "WITNESS_UNAVAILABLE"]);

/** How far a call without a result came: it was not sent, the server refused it, or that is unknown. */
function reachOf(error: CmcpError): "not-sent" | "refused" | "unknown" {
  const { sent } = error.detail;
  if (sent === 0 || (sent === undefined && BEFORE_SENDING.has(error.code))) return "not-sent";
  return error.code === "UPSTREAM_CALL_REFUSED" ? "refused" : "unknown";
}

/** The error for a call whose agent went away. It keeps whether the call was sent. */
export function cancellationError(thrown: unknown): CmcpError {
  const sent = thrown instanceof CmcpError ? thrown.detail["sent"] : undefined;
  return new CmcpError("REQUEST_CANCELLED", "the caller went away", {
    cause: thrown,
    ...(sent === undefined ? {} : { detail: { sent } }),
  });
}
