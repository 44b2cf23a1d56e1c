import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import type { InspectedTool } from "./prepare.ts";

/** Whether a schema declares no property at its root or behind a combination or reference there. */
function declaresNothing(schema: JsonObject): boolean {
  const declaring = ["properties", "patternProperties", "$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"];
  const { additionalProperties } = schema;
  return (
    declaring.every((keyword) => schema[keyword] === undefined) &&
    !(isJsonObject(additionalProperties) && Object.keys(additionalProperties).length > 0)
  );
}

/** What an operator should know of how a tool's input schema is read. */
export function lintInputSchema({ toolName, inputSchema, additionalArguments }: InspectedTool): readonly string[] {
  if (additionalArguments === true)
    return [
      `tool ${toolName}: additional is \`allow\`, so arguments that its input schema does not declare reach the server unseen by rules`,
    ];
  const { additionalProperties } = inputSchema;
  if (declaresNothing(inputSchema) && additionalProperties !== false)
    return [
      `tool ${toolName}: its input schema declares no arguments and is read as closed, so a call with any argument is refused; write its arguments down, or set additional to \`allow\``,
    ];
  return [];
}
