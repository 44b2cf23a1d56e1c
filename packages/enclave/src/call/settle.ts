import type { ErrorCode, JsonObject } from "@cmcp/boundary";
import { inspectAnswer, inspectResult, type AnsweredMethod } from "@cmcp/inspection";
import type { Core } from "../boot/core.ts";
import { canonicalHash } from "./hash.ts";
import type { Permitted } from "./decision.ts";

/** What became of a call's result. */
export interface Settled {
  /** The result to deliver, or `null` when it is withheld. */
  readonly result: JsonObject | null;
  readonly inspection: "pass" | "surplus_stripped" | "schema_violation" | "size_exceeded";
  readonly responseHash: string;
  readonly removed: number;
  readonly refusal: { readonly code: ErrorCode; readonly rule: string; readonly message: string } | null;
}

const REFUSALS = {
  schema_violation: {
    code: "RESPONSE_SCHEMA_VIOLATION_STRICT",
    rule: "response_schema_violation",
    message: "the tool's result does not fit its approved output schema",
  },
  size_exceeded: {
    code: "RESPONSE_SIZE_EXCEEDED",
    rule: "response_size_exceeded",
    message: "the tool's result is larger than the gateway delivers",
  },
} as const;

/** Inspects a result. What is withheld is recorded as such; the caller has raised the session already, because the tool was reached. */
export function settle(core: Core, decision: Permitted, method: AnsweredMethod, result: JsonObject): Settled {
  const options = { maxBytes: core.config.max_response_size_bytes, redactFields: decision.redactFields };
  const inspected =
    decision.subject.kind === "tool"
      ? inspectResult(decision.subject.tool, result, options)
      : inspectAnswer(method, result, options);
  const refusal =
    inspected.outcome === "schema_violation" || inspected.outcome === "size_exceeded"
      ? REFUSALS[inspected.outcome]
      : null;
  return {
    result: refusal === null ? inspected.result : null,
    inspection: inspected.outcome,
    responseHash: canonicalHash(result),
    removed: inspected.stripped.length + inspected.redacted,
    refusal,
  };
}
