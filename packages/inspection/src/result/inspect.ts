import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { prepareSchemas, type InspectedTool } from "../schema/prepare.ts";
import { removeLookAlikes } from "./look-alike.ts";
import { applyOutputSchema } from "./output-schema.ts";
import { RedactRules } from "./redact-rules.ts";
import { redactResult } from "./redact.ts";
import { isCallToolResult, onlyProtocolMembers } from "./shape.ts";
import { isLarger } from "./size.ts";

/** How far a result may go and what has to leave it. */
export interface ResultOptions {
  /** Largest result delivered, in bytes of its JSON text. */
  readonly maxBytes: number;
  /** See `RedactRules`. */
  readonly redactFields: readonly string[];
}

/** What inspection made of a result. */
export interface InspectedResult {
  readonly outcome: "pass" | "surplus_stripped" | "schema_violation" | "size_exceeded";
  /** What may be delivered: never more than the tool sent. `null` when nothing may. */
  readonly result: JsonObject | null;
  /** Paths of what was removed as undeclared, unknown or posing as the gateway's; property names of the tool's choosing, so not for logs. */
  readonly stripped: readonly string[];
  /** Number of fields, texts and content blocks removed by redaction. */
  readonly redacted: number;
  /** Content blocks among {@link redacted} that were withheld whole because fields cannot be told in them. */
  readonly withheld: number;
}

const refused = (outcome: "schema_violation" | "size_exceeded"): InspectedResult => ({
  outcome,
  result: null,
  stripped: [],
  redacted: 0,
  withheld: 0,
});

/**
 * Inspects the result of a call: size, shape, members posing as the gateway's, the approved output schema,
 * then the fields that policy wants out. The input is left as it is. Redaction comes last and wins: a field it takes out
 * may be one the output schema requires.
 */
export function inspectResult(tool: InspectedTool, result: JsonObject, options: ResultOptions): InspectedResult {
  if (isLarger(result, options.maxBytes)) return refused("size_exceeded");
  if (!isCallToolResult(result)) return refused("schema_violation");
  const stripped: string[] = [];
  const own = removeLookAlikes(onlyProtocolMembers(result, stripped), stripped);
  const { output } = prepareSchemas(tool);
  const approved = output === null ? own : applyOutputSchema(own, output, stripped);
  if (approved === null) return refused("schema_violation");
  const outcome = stripped.length === 0 ? "pass" : "surplus_stripped";
  const rules = new RedactRules(options.redactFields);
  if (rules.empty) return { outcome, result: approved, stripped, redacted: 0, withheld: 0 };
  try {
    return { outcome, ...redactResult(approved, rules, result), stripped };
  } catch (thrown) {
    if (thrown instanceof CmcpError && thrown.code === "RESPONSE_SIZE_EXCEEDED") return refused("size_exceeded");
    throw thrown;
  }
}
