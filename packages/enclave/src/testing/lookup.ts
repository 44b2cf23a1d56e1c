import type { JsonObject } from "@cmcp/boundary";
import { Vocabulary } from "@cmcp/session";
import { definitionHash, loadCatalog, type Catalog, type CatalogTool } from "@cmcp/catalog";

const DEFINITION: JsonObject = { description: "Looks up.", input_schema: { type: "object" } };
const ENTRY: JsonObject = {
  tool_name: "lookup",
  server: { display_name: "lookup", url: "http://127.0.0.1:9/mcp", transport: "streamable-http" },
  approved_definition: DEFINITION,
  definition_hash: definitionHash(DEFINITION),
  compliance_domain: "public",
  requires_baa: false,
  sensitivity_level: "public",
  added_at: "2026-01-01T00:00:00Z",
  approved_by: "test@example.org",
};

/** A catalog of one public tool, `lookup`, and that tool. */
export function lookupCatalog(): { readonly catalog: Catalog; readonly tool: CatalogTool } {
  const catalog = loadCatalog([ENTRY], { developmentMode: true, vocabulary: new Vocabulary() });
  const tool = catalog.tools.get("lookup");
  if (tool === undefined) throw new Error("the catalog has its tool");
  return { catalog, tool };
}
