import {
  CmcpError,
  canonicalBytes,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  schemaProblem,
} from "@cmcp/boundary";
import * as z from "zod";
import { definitionHash } from "../hashes.ts";
import { MAX_DEFINITION_BYTES, MAX_SCHEMA_DEPTH, MAX_TEXT } from "../limits.ts";

const label = z.string().min(1).max(64);

/** A text that must say something. */
export const text = z.string().min(1).max(MAX_TEXT);

/** Members every entry has, whatever it approves. */
export const approval = {
  definition_hash: z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be sha256: and 64 lowercase hex digits"),
  compliance_domain: label.default("external"),
  requires_baa: z.boolean().default(false),
  sensitivity_level: label.default("public"),
  added_at: z.iso.datetime({ offset: true }),
  approved_by: text,
  /** How a streamed result is inspected: whole before any of it is delivered, or as it passes. */
  inspection_mode: z.enum(["buffered", "async"]).default("buffered"),
};

/** What {@link approval} makes of an entry. */
export type Approval = z.infer<z.ZodObject<typeof approval>>;

function depthOf(value: JsonValue): number {
  if (typeof value !== "object" || value === null) return 0;
  let deepest = 0;
  for (const member of Object.values(value)) deepest = Math.max(deepest, depthOf(member));
  return deepest + 1;
}

/**
 * Reads one raw entry under its shape: every member checked, unknown ones refused.
 *
 * @param what - how messages name the entry
 * @throws CmcpError `CATALOG_INVALID`.
 */
export function readShape<Shape extends z.ZodType>(shape: Shape, raw: JsonValue, what: string): z.infer<Shape> {
  const parsed = shape.safeParse(raw);
  if (!parsed.success) throw new CmcpError("CATALOG_INVALID", `${what}: ${schemaProblem(parsed.error).text}`);
  return parsed.data;
}

/** Holds a schema that the operator wrote beside what was approved to the same bounds. @throws CmcpError `CATALOG_INVALID` */
export function checkOwnSchema(schema: JsonObject, name: string, what: string): void {
  const why =
    depthOf(schema) > MAX_SCHEMA_DEPTH
      ? `is nested deeper than ${MAX_SCHEMA_DEPTH}`
      : canonicalBytes(schema).byteLength > MAX_DEFINITION_BYTES
        ? `is over ${MAX_DEFINITION_BYTES} bytes`
        : null;
  if (why !== null) throw new CmcpError("CATALOG_INVALID", `${what}: ${name} ${why}`);
}

/**
 * Holds an entry's `approved_definition`, as its file has it, to its bounds and to `definition_hash`.
 *
 * @throws CmcpError `CATALOG_INVALID`.
 */
export function checkDefinition(raw: JsonValue, recordedHash: string, what: string): void {
  const refuse = (why: string): never => {
    throw new CmcpError("CATALOG_INVALID", `${what}: ${why}`);
  };
  const definition: JsonObject =
    isJsonObject(raw) && isJsonObject(raw.approved_definition)
      ? raw.approved_definition
      : refuse("approved_definition is missing");
  // The definition around the schemas is one level.
  if (depthOf(definition) > MAX_SCHEMA_DEPTH + 1) refuse(`a schema is nested deeper than ${MAX_SCHEMA_DEPTH}`);
  if (canonicalBytes(definition).byteLength > MAX_DEFINITION_BYTES)
    refuse(`approved_definition is over ${MAX_DEFINITION_BYTES} bytes`);
  const computed = definitionHash(definition);
  if (recordedHash !== computed)
    refuse(`definition_hash does not match approved_definition, whose hash is ${computed}`);
}
