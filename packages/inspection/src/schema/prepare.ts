import type { CatalogTool } from "@cmcp/catalog";
import { CompiledSchema } from "./compiled.ts";

/** The part of a catalog tool that inspection reads. */
export type InspectedTool = Pick<CatalogTool, "toolName" | "inputSchema" | "outputSchema">;

/** A tool's approved schemas, ready for use. */
export interface PreparedSchemas {
  readonly input: CompiledSchema;
  readonly output: CompiledSchema | null;
}

const prepared = new WeakMap<InspectedTool, PreparedSchemas>();

/**
 * Makes a tool's schemas ready, once for a tool object. To be called for every tool when the catalog loads,
 * so that a schema that cannot be followed stops the start and not a call.
 * @throws CmcpError `CATALOG_INVALID` naming the tool, the schema and the place in it
 */
export function prepareSchemas(tool: InspectedTool): PreparedSchemas {
  const known = prepared.get(tool);
  if (known !== undefined) return known;
  const made: PreparedSchemas = {
    input: new CompiledSchema(tool.inputSchema, `tool ${tool.toolName}: input_schema`),
    output:
      tool.outputSchema === null ? null : new CompiledSchema(tool.outputSchema, `tool ${tool.toolName}: output_schema`),
  };
  prepared.set(tool, made);
  return made;
}
