import { CmcpError, isJsonObject, type JsonValue } from "@cmcp/boundary";
import { onlyCloses } from "../closed-schema.ts";
import { checkDefinition, checkOwnSchema, readShape } from "./described.ts";
import { entrySchema, type CatalogEntry } from "./shape.ts";
import { refuseUnsupported } from "./unsupported.ts";

/**
 * Checks one raw tool entry: shape, bounds, `definition_hash`, and that it asks for nothing this version lacks.
 *
 * @throws CmcpError `CATALOG_INVALID`; `CONFIG_NOT_SUPPORTED` for features refused by name.
 */
export function readEntry(raw: JsonValue, index: number): CatalogEntry {
  const named = isJsonObject(raw) && typeof raw.tool_name === "string" ? raw.tool_name.slice(0, 64) : `#${index}`;
  const entry = readShape(entrySchema, raw, `catalog entry ${named}`);
  refuseUnsupported(entry);
  checkDefinition(raw, entry.definition_hash, `catalog entry ${entry.tool_name}`);
  const { projection_schema: projection } = entry;
  if (projection != null) {
    if (entry.approved_definition.output_schema != null)
      throw new CmcpError(
        "CATALOG_INVALID",
        `catalog entry ${entry.tool_name}: projection_schema stands beside an output_schema, by which results are projected already`,
      );
    checkOwnSchema(projection, "projection_schema", `catalog entry ${entry.tool_name}`);
  }
  checkInputSchema(entry);
  checkArgumentKinds(entry);
  return entry;
}

/**
 * The schema that agents are shown may close what was approved and change nothing else.
 * @throws CmcpError `CATALOG_INVALID`
 */
function checkInputSchema({ tool_name: name, approved_definition: approved, ...entry }: CatalogEntry): void {
  const { input_schema: own } = entry;
  if (own == null) return;
  const what = `catalog entry ${name}`;
  checkOwnSchema(own, "input_schema", what);
  if (entry.additional === "allow")
    throw new CmcpError("CATALOG_INVALID", `${what}: input_schema closes what \`additional: allow\` leaves open`);
  if (!onlyCloses(approved.input_schema, own))
    throw new CmcpError(
      "CATALOG_INVALID",
      `${what}: input_schema must be that of approved_definition, but for additionalProperties: false where it is open`,
    );
}

/** A kind for an argument that nobody can send is a slip of the pen. @throws CmcpError `CATALOG_INVALID` */
function checkArgumentKinds({ tool_name: name, approved_definition: approved, ...entry }: CatalogEntry): void {
  const { properties } = approved.input_schema;
  if (entry.additional === "allow" || !isJsonObject(properties)) return;
  const unknown = Object.keys(entry.argument_kinds ?? {}).find((argument) => !Object.hasOwn(properties, argument));
  if (unknown !== undefined)
    throw new CmcpError(
      "CATALOG_INVALID",
      `catalog entry ${name}: argument_kinds names ${JSON.stringify(unknown)}, which input_schema does not declare`,
    );
}
