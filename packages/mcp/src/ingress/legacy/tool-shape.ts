import { isJsonObject, type JsonObject } from "@cmcp/boundary";

/**
 * A tool as the legacy era can show it. There an output schema describes an object, and clients refuse the
 * whole list over one that does not; such a tool is shown without.
 * @param taskSupport how it can be called as a task, `null` when it cannot
 */
export function legacyTool(tool: JsonObject, taskSupport: string | null): JsonObject {
  const { outputSchema, ...rest } = tool;
  return {
    ...rest,
    ...(isJsonObject(outputSchema) && outputSchema.type === "object" ? { outputSchema } : {}),
    ...(taskSupport === null ? {} : { execution: { taskSupport } }),
  };
}

/** A result as the legacy era can carry it: structured content that is no object is given as text, unless text says it already. */
export function legacyResult(result: JsonObject): JsonObject {
  const { structuredContent, content, ...rest } = result;
  if (structuredContent === undefined || isJsonObject(structuredContent)) return result;
  const blocks = Array.isArray(content) ? content : [];
  const hasText = blocks.some((block) => isJsonObject(block) && block.type === "text");
  return {
    ...rest,
    content: hasText ? blocks : [...blocks, { type: "text", text: JSON.stringify(structuredContent) }],
  };
}

const CACHING: readonly string[] = ["ttlMs", "cacheScope"];

/**
 * What a resource says, without what the modern era says of keeping it (MCP 2026-07-28, "CacheableResult"): of what policy
 * chose for one caller, nobody is to hear that it is public.
 */
export function legacyContents(result: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(result).filter(([name]) => !CACHING.includes(name)));
}
