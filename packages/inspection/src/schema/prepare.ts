import type { JsonObject } from "@cmcp/boundary";
import type { CatalogTool } from "@cmcp/catalog";
import { CompiledSchema } from "./compiled.ts";

/** The part of a catalog tool that inspection reads. Without more said, its input schema is closed and nothing projects its results. */
export type InspectedTool = Pick<CatalogTool, "toolName" | "inputSchema" | "outputSchema"> &
  Partial<Pick<CatalogTool, "projectionSchema" | "additionalArguments">>;

/** A tool's approved schemas, ready for use. */
export interface PreparedSchemas {
  readonly input: CompiledSchema;
  readonly output: CompiledSchema | null;
  /** By what results are projected where fields are redacted: the output schema, else the one the operator wrote; `null` for neither. */
  readonly projection: CompiledSchema | null;
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
  const compiled = (schema: JsonObject | null, name: string): CompiledSchema | null =>
    schema === null ? null : new CompiledSchema(schema, `tool ${tool.toolName}: ${name}`);
  const output = compiled(tool.outputSchema, "output_schema");
  const made: PreparedSchemas = {
    input: new CompiledSchema(tool.inputSchema, `tool ${tool.toolName}: input_schema`),
    output,
    projection: output ?? compiled(tool.projectionSchema ?? null, "projection_schema"),
  };
  prepared.set(tool, made);
  return made;
}
