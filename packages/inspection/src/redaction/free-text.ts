import { canonicalText, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { soleJson } from "../result/output-schema.ts";
import { prepareSchemas, type InspectedTool } from "../schema/prepare.ts";
import { FieldRules } from "./field-rules.ts";
import { Projection } from "./projection.ts";
import { RepeatedValues } from "./repeated-values.ts";

const NO_RULES = new FieldRules([]);
/** Members of a result that can be without free text. */
const PLAIN_MEMBERS: ReadonlySet<string> = new Set(["content", "structuredContent", "isError"]);

/**
 * Whether a tool's result, as it is delivered, has text that the server chose freely. It has none if it is one JSON value in which the
 * schema leaves room for nothing but numbers, booleans, members of enumerations, dates, times, UUIDs and addresses.
 */
export function hasFreeText(tool: InspectedTool, result: JsonObject): boolean {
  if (Object.keys(result).some((name) => !PLAIN_MEMBERS.has(name))) return true;
  const { content, structuredContent } = result;
  const isEmpty = !Array.isArray(content) || content.length === 0;
  const written = soleJson(content);
  if (!isEmpty && written === undefined) return true;
  const value = structuredContent ?? written;
  if (value === undefined) return false;
  if (written !== undefined && canonicalText(written) !== canonicalText(value)) return true;
  return !isProjectedWhole(tool, value);
}

/** Whether the projection that redaction is would leave a value as it is. */
function isProjectedWhole(tool: InspectedTool, value: JsonValue): boolean {
  const schema = prepareSchemas(tool).projection;
  if (schema === null || !schema.check(value).ok) return false;
  const projection = new Projection(schema, { redact: NO_RULES, keep: NO_RULES, repeated: new RepeatedValues() });
  try {
    projection.of(value);
  } catch {
    // The check takes too much work.
    return false;
  }
  return projection.removed === 0;
}
