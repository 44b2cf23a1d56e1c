import type { ErrorCode, JsonObject } from "@cmcp/boundary";
import { inspectAnswer, inspectResult, type Asked, type InspectedResult } from "@cmcp/inspection";
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
  unprojectable: {
    code: "RESPONSE_UNPROJECTABLE",
    rule: "response_unprojectable",
    message: "policy removes fields from this result, and they cannot be told apart in it",
  },
} as const;

/** The words of the record for what inspection found: a projection is a result that lost something, and what cannot be projected has the wrong shape for it. */
const RECORDED = {
  pass: "pass",
  surplus_stripped: "surplus_stripped",
  redacted: "surplus_stripped",
  schema_violation: "schema_violation",
  unprojectable: "schema_violation",
  size_exceeded: "size_exceeded",
} as const satisfies Record<InspectedResult["outcome"], Settled["inspection"]>;

/** Inspects a result. What is withheld is recorded as such; the caller has raised the session already, because the tool was reached. */
export function settle(core: Core, decision: Permitted, asked: Asked, result: JsonObject): Settled {
  const { redactFields, keepFields } = decision;
  const options = { maxBytes: core.config.max_response_size_bytes, redactFields, keepFields };
  const inspected =
    decision.subject.kind === "tool"
      ? inspectResult(decision.subject.tool, result, options)
      : inspectAnswer(asked, result, options);
  const { outcome } = inspected;
  const refusal =
    outcome === "schema_violation" || outcome === "size_exceeded" || outcome === "unprojectable"
      ? REFUSALS[outcome]
      : null;
  return {
    result: refusal === null ? inspected.result : null,
    inspection: RECORDED[outcome],
    responseHash: canonicalHash(result),
    removed: inspected.stripped.length + inspected.redacted,
    refusal,
  };
}
