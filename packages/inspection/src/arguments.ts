import type { JsonObject } from "@cmcp/boundary";
import type { Checked } from "./schema/compiled.ts";
import { prepareSchemas, type InspectedTool } from "./schema/prepare.ts";

/**
 * Checks a call's arguments against the tool's approved input schema. `why` names the broken keyword's place
 * in the schema and nothing of the arguments.
 * @throws CmcpError `CATALOG_INVALID` for a tool whose schemas were never prepared and cannot be
 */
export function inspectArguments(tool: InspectedTool, args: JsonObject): Checked {
  return prepareSchemas(tool).input.check(args);
}
