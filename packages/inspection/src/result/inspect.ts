import type { JsonObject } from "@cmcp/boundary";
import { projectResult, type RedactionRules } from "../redaction/project-result.ts";
import { prepareSchemas, type InspectedTool } from "../schema/prepare.ts";
import { removeLookAlikes } from "./look-alike.ts";
import { applyOutputSchema } from "./output-schema.ts";
import { readToolResult } from "../shape/tool-result.ts";
import { isLarger } from "./size.ts";

/** How far a result may go and what has to leave it. Without `keepFields` no free text stays where fields are redacted. */
export interface ResultOptions
  extends Pick<RedactionRules, "redactFields">,
    Partial<Pick<RedactionRules, "keepFields">> {
  /** Largest result delivered, in bytes of its JSON text. */
  readonly maxBytes: number;
}

/** What inspection made of a result. */
export interface InspectedResult {
  /**
   * `redacted`: what is left is a projection onto the schema without the redacted fields.
   * `unprojectable`: fields are to be redacted and cannot be told apart in this result.
   */
  readonly outcome: "pass" | "surplus_stripped" | "redacted" | "schema_violation" | "size_exceeded" | "unprojectable";
  /** What may be delivered: never more than the server sent. `null` when nothing may. */
  readonly result: JsonObject | null;
  /**
   * Paths of what was removed as undeclared, unknown or posing as the gateway's; property names of the server's
   * choosing, so not for logs.
   */
  readonly stripped: readonly string[];
  /** Number of members, texts and content blocks removed by redaction. */
  readonly redacted: number;
  /** Content blocks withheld whole: among {@link redacted}, or of a kind the protocol does not have. */
  readonly withheld: number;
}

/** A result of which nothing may be delivered. */
export function withheldResult(outcome: "schema_violation" | "size_exceeded" | "unprojectable"): InspectedResult {
  return { outcome, result: null, stripped: [], redacted: 0, withheld: 0 };
}

/**
 * Inspects the result of a call: size, shape, members posing as the gateway's, the approved output schema, then the projection that
 * redaction is. What leaves is rebuilt from the shape the protocol gives it; the input is left as it is. A field that
 * redaction takes out may be one the output schema requires.
 */
export function inspectResult(tool: InspectedTool, result: JsonObject, options: ResultOptions): InspectedResult {
  if (isLarger(result, options.maxBytes)) return withheldResult("size_exceeded");
  const read = readToolResult(result);
  if (read === null) return withheldResult("schema_violation");
  const stripped = [...read.stripped];
  const own = removeLookAlikes(read.result, stripped);
  const { output, projection } = prepareSchemas(tool);
  const approved = output === null ? own : applyOutputSchema(own, output, stripped);
  if (approved === null) return withheldResult("schema_violation");
  const { redactFields, keepFields = [] } = options;
  if (redactFields.length === 0) {
    const outcome = stripped.length === 0 ? "pass" : "surplus_stripped";
    return { outcome, result: approved, stripped, redacted: 0, withheld: read.withheld };
  }
  const projected = projectResult(approved, projection, { redactFields, keepFields }, result);
  if (projected === null) return withheldResult("unprojectable");
  return { outcome: "redacted", ...projected, withheld: projected.withheld + read.withheld, stripped };
}
