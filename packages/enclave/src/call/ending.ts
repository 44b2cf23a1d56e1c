import { CmcpError, asCmcpError, type ErrorCode, type JsonObject } from "@cmcp/boundary";
import type { AuditEntry } from "@cmcp/audit";
import type { Target } from "@cmcp/catalog";
import { inspectError } from "@cmcp/inspection";
import { UpstreamRefusal, refused as refusalOutcome, type Outcome } from "@cmcp/mcp";
import type { CallDecision } from "@cmcp/session";
import type { Permit } from "./permit.ts";

/** Members of an entry's detail. */
export type Detail = Readonly<Record<string, string | number>>;

/** How a call ended: what the record says of it, and what the agent is answered. */
export interface Ending {
  readonly kind: "ending";
  readonly target: Target | null;
  readonly decision: CallDecision;
  readonly rule: string;
  /** Whether the request may have reached the server. What it could return then counts as seen. */
  readonly sent: boolean;
  readonly outcome: Outcome;
  readonly inspection: AuditEntry["response_inspection_result"];
  readonly detail: Detail;
  /** Of the request as it left, where that is not as the agent sent it. */
  readonly requestHash?: string;
}

/** What a stage answers: what the next one needs, or how the call ended. */
export type Step<T> = { readonly kind: "continue"; readonly value: T } | Ending;

/** Lets the call go on. */
export function proceed<T>(value: T): Step<T> {
  return { kind: "continue", value };
}

/** Why a call does not leave. The message never names the rule. */
export interface Refusal {
  readonly rule: string;
  readonly code: ErrorCode;
  readonly message: string;
  /** `step_up` and `defer` say that a person, or a later decision, could allow it. */
  readonly decision?: "deny" | "step_up" | "defer";
  /** What else an agent is told, of its own request alone. */
  readonly data?: JsonObject;
}

/** The ending of a call that did not leave. */
export function refuse(target: Target | null, { rule, code, message, decision = "deny", data = {} }: Refusal): Ending {
  const outcome = refusalOutcome(code, message);
  return {
    kind: "ending",
    target,
    decision,
    rule,
    sent: false,
    outcome: { ...outcome, data: { ...outcome.data, ...data } },
    inspection: "n/a",
    detail: { error_code: code },
  };
}

/** The ending of a call that failed, whatever failed and however far it had come. */
export function fail(permit: Permit, thrown: unknown, counts: Detail = {}): Ending {
  const error = asCmcpError(thrown, "TEE_FAULT", "the call failed inside the gateway");
  const outcome = reachOf(error);
  return {
    kind: "ending",
    target: permit.target,
    decision: "fault",
    rule: permit.rule,
    sent: outcome !== "not-sent",
    outcome: faultOutcome(error, permit.redactFields.length > 0),
    inspection: "n/a",
    detail: { error_code: error.code, outcome, ...counts },
  };
}

/** A fault as the agent is told of it; a server's own JSON-RPC error as inspection leaves it. */
function faultOutcome(error: CmcpError, withholdText: boolean): Outcome {
  const outcome = refusalOutcome(error.code, error.message);
  if (!(error instanceof UpstreamRefusal)) return outcome;
  const serverError = { code: error.rpcCode, message: error.rpcMessage, data: error.rpcData };
  return { ...outcome, rpc: inspectError(serverError, { withholdText, instead: "the tool server refused the call" }) };
}

/** What is known of a call that gave no result: it never left, the server refused it, or nobody knows. */
function reachOf(error: CmcpError): "not-sent" | "refused" | "unknown" {
  if (error.detail["sent"] === 0 || error.code === "AUDIT_STORE_UNAVAILABLE") return "not-sent";
  return error.code === "UPSTREAM_CALL_REFUSED" ? "refused" : "unknown";
}

/** The caller is gone, whatever the failure that this showed up as; whether the call had left is kept. */
export function cancellationError(thrown: unknown): CmcpError {
  const sent = thrown instanceof CmcpError ? thrown.detail["sent"] : undefined;
  return new CmcpError("REQUEST_CANCELLED", "the caller went away", {
    cause: thrown,
    ...(sent === undefined ? {} : { detail: { sent } }),
  });
}
