import { isJsonObject, type JsonObject } from "@cmcp/boundary";

/**
 * A tool as the legacy era can show it. There an output schema describes an object, and clients refuse the
 * whole list over one that does not; such a tool is shown without.
 */
export function legacyTool(tool: JsonObject): JsonObject {
  const { outputSchema, ...rest } = tool;
  return isJsonObject(outputSchema) && outputSchema.type === "object" ? { ...rest, outputSchema } : rest;
}

/** A result as the legacy era can carry it: structured content that is no object is given as text, unless text says it already. */
export function legacyResult(result: JsonObject): JsonObject {
  const { structuredContent, content, ...rest } = result;
  if (structuredContent === undefined || isJsonObject(structuredContent)) return result;
  const blocks = Array.isArray(content) ? content : [];
  const told = blocks.some((block) => isJsonObject(block) && block.type === "text");
  return { ...rest, content: told ? blocks : [...blocks, { type: "text", text: JSON.stringify(structuredContent) }] };
}
