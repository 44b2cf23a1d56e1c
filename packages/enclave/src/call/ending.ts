import { CmcpError, asCmcpError, type ErrorCode, type JsonObject } from "@cmcp/boundary";
import type { AuditEntry } from "@cmcp/audit";
import type { Target } from "@cmcp/catalog";
import { inspectError } from "@cmcp/inspection";
import { UpstreamRefusal, refused as refusalOutcome, type Outcome } from "@cmcp/mcp";
import type { CallDecision, Compartments } from "@cmcp/session";
import type { Permit } from "./permit.ts";

/** Members of an entry's `detail`. */
export type Detail = Readonly<Record<string, string | number>>;

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
  /** Compartments that findings add to those of the target. */
  readonly compartments?: Compartments;
  /** Hash of the request as sent, if that differs from the request as received. */
  readonly requestHash?: string;
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
  /** More data for the agent, from its own request alone. */
  readonly data?: JsonObject;
}

/** The ending of a call that was not sent. */
export function refuse(target: Target | null, { rule, code, message, decision = "deny", data = {} }: Refusal): Ending {
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
    detail: { error_code: error.code, outcome, ...counts },
  };
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
