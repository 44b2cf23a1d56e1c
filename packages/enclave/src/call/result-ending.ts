import type { ErrorCode, JsonObject } from "@cmcp/boundary";
import { hasFreeText, inspectAnswer, inspectResult, type InspectedResult } from "@cmcp/inspection";
import { refused, type Outcome } from "@cmcp/mcp";
import type { Call } from "./call.ts";
import type { Detail, Ending } from "./ending.ts";
import type { InspectedPeer } from "./inspected-peer.ts";
import type { Permit } from "./permit.ts";

/** Whether an outcome without a result to redact has free text of the server: questions, the status of a task, an error. */
function hasServerText(outcome: Outcome): boolean {
  if (outcome.kind === "input") return outcome.inputRequests !== null;
  if (outcome.kind !== "task") return false;
  return outcome.task.statusMessage !== null || Object.keys(outcome.ending).length > 0;
}

/** The ending of a call whose answer has no result to redact. */
export function deliver(permit: Permit, outcome: Outcome, detail: Detail): Ending {
  const { target, rule, decision } = permit;
  return {
    kind: "ending",
    target,
    // Only a redacted result has the decision `redact`.
    decision: decision === "redact" ? "allow" : decision,
    rule,
    sent: true,
    hasServerText: hasServerText(outcome),
    outcome,
    inspection: "n/a",
    detail,
  };
}

const WITHHELD: Readonly<
  Partial<Record<InspectedResult["outcome"], { code: ErrorCode; rule: string; message: string }>>
> = {
  schema_violation: {
    code: "RESPONSE_SCHEMA_VIOLATION_STRICT",
    rule: "response_schema_violation",
    message: "the result does not match the approved output schema",
  },
  size_exceeded: {
    code: "RESPONSE_SIZE_EXCEEDED",
    rule: "response_size_exceeded",
    message: "the result is larger than max_response_size_bytes",
  },
  unprojectable: {
    code: "RESPONSE_UNPROJECTABLE",
    rule: "response_unprojectable",
    message: "policy redacts fields of this result, and it has no schema that says where they are",
  },
};

/** A result, and what to do with it after inspection. */
interface ResultDelivery {
  readonly result: JsonObject;
  readonly peer: InspectedPeer;
  /** `detail.outcome` of the entry if the result is delivered. */
  readonly outcome: string;
  /** Puts the result into the outcome; by default it is the whole outcome. */
  readonly wrap?: (result: JsonObject) => Outcome;
}

/** The ending of a call that has a result. A withheld result is recorded as denied, and its data still counts as seen. */
export function resultEnding(call: Call, permit: Permit, received: ResultDelivery, maxBytes: number): Ending {
  const { result, peer, outcome, wrap = (inspectedResult) => ({ kind: "result", result: inspectedResult }) } = received;
  const inspected = inspect(call, permit, result, maxBytes);
  const withheld = WITHHELD[inspected.outcome];
  const { target } = permit;
  const common = { kind: "ending", target, sent: true, inspection: inspectionOf(inspected) } as const;
  if (inspected.result === null || withheld !== undefined) {
    const { code, rule, message } = withheld ?? WITHHELD_BY_DEFAULT;
    const detail = { outcome: "withheld", error_code: code, ...peer.detail };
    return { ...common, hasServerText: false, decision: "deny", rule, outcome: refused(code, message), detail };
  }
  const removed = inspected.stripped.length + inspected.redacted;
  const detail = { outcome, removed, ...peer.detail };
  const delivered = wrap(inspected.result);
  const hasText = target.kind !== "tool" || hasFreeText(target.tool, inspected.result) || hasStatus(delivered);
  return {
    ...common,
    hasServerText: hasText,
    decision: permit.decision,
    rule: permit.rule,
    outcome: delivered,
    detail,
  };
}

/** Whether a task that has ended says something in words beside its result. */
function hasStatus(outcome: Outcome): boolean {
  return outcome.kind === "task" && outcome.task.statusMessage !== null;
}

const WITHHELD_BY_DEFAULT = {
  code: "TEE_FAULT",
  rule: "response_withheld",
  message: "the result was withheld",
} as const;

function inspect(call: Call, permit: Permit, result: JsonObject, maxBytes: number): InspectedResult {
  const { redactFields, keepFields, target } = permit;
  const options = { maxBytes, redactFields, keepFields };
  if (target.kind === "tool") return inspectResult(target.tool, result, options);
  const { method, name } = call.request;
  return method === "prompts/get" || method === "completion/complete"
    ? inspectAnswer({ method }, result, options)
    : inspectAnswer({ method: "resources/read", uri: name }, result, options);
}

/** The inspection result in the vocabulary of entries. */
function inspectionOf({ outcome }: InspectedResult): Ending["inspection"] {
  if (outcome === "redacted") return "surplus_stripped";
  return outcome === "unprojectable" ? "schema_violation" : outcome;
}
