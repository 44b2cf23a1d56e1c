import { CmcpError, canonicalBytes, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { z } from "zod";
import { definitionHash } from "../hashes.ts";
import { MAX_DEFINITION_BYTES, MAX_SCHEMA_DEPTH } from "../limits.ts";
import { entrySchema, type CatalogEntry } from "./shape.ts";
import { refuseUnsupported } from "./unsupported.ts";

function depthOf(value: JsonValue): number {
  if (typeof value !== "object" || value === null) return 0;
  let deepest = 0;
  for (const member of Object.values(value)) deepest = Math.max(deepest, depthOf(member));
  return deepest + 1;
}

function describe(issue: z.core.$ZodIssue | undefined): string {
  return issue === undefined ? "has the wrong shape" : `${issue.path.length === 0 ? "entry" : issue.path.join(".")}: ${issue.message}`;
}

function checkDefinition(entry: CatalogEntry, definition: JsonObject): void {
  const refuse = (why: string): never => {
    throw new CmcpError("CATALOG_INVALID", `catalog entry ${entry.tool_name}: ${why}`);
  };
  // The definition around the schemas is one level.
  if (depthOf(definition) > MAX_SCHEMA_DEPTH + 1) refuse(`a schema is nested deeper than ${MAX_SCHEMA_DEPTH}`);
  if (canonicalBytes(definition).byteLength > MAX_DEFINITION_BYTES) refuse(`approved_definition is over ${MAX_DEFINITION_BYTES} bytes`);
  const computed = definitionHash(definition);
  if (entry.definition_hash !== computed) refuse(`definition_hash does not match approved_definition, whose hash is ${computed}`);
}

/**
 * Checks one raw entry: shape, bounds, `definition_hash`, and that it asks for nothing this version lacks.
 *
 * @throws CmcpError `CATALOG_INVALID`; `CONFIG_NOT_SUPPORTED` for features refused by name.
 */
export function readEntry(raw: JsonValue, index: number): CatalogEntry {
  const parsed = entrySchema.safeParse(raw);
  if (!parsed.success) {
    const named = isJsonObject(raw) && typeof raw.tool_name === "string" ? raw.tool_name.slice(0, 64) : `#${index}`;
    throw new CmcpError("CATALOG_INVALID", `catalog entry ${named}: ${describe(parsed.error.issues[0])}`);
  }
  const definition = isJsonObject(raw) ? raw.approved_definition : undefined;
  if (!isJsonObject(definition)) throw new CmcpError("CATALOG_INVALID", `catalog entry #${index}: approved_definition is missing`);
  refuseUnsupported(parsed.data);
  checkDefinition(parsed.data, definition);
  return parsed.data;
}
