import type { JsonObject } from "@cmcp/boundary";
import { closedFault } from "./schema/closed.ts";
import type { Checked } from "./schema/compiled.ts";
import { prepareSchemas, type InspectedTool } from "./schema/prepare.ts";

/**
 * Checks a call's arguments against the tool's approved input schema, which is read as closed unless its catalog entry allows
 * additional arguments. `why` names the broken keyword's place in the schema and nothing of the arguments.
 * @throws CmcpError `CATALOG_INVALID` for a tool whose schemas were never prepared and cannot be
 */
export function inspectArguments(tool: InspectedTool, args: JsonObject): Checked {
  const { input } = prepareSchemas(tool);
  const checked = input.check(args);
  if (!checked.ok || tool.additionalArguments === true) return checked;
  try {
    const fault = closedFault(input, args);
    return fault === null ? checked : { ok: false, why: fault };
  } catch {
    return { ok: false, why: "the schema could not be applied to this value" };
  }
}
