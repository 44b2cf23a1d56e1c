import type { Catalog } from "@cmcp/catalog";
import { canProject, lintInputSchema, prepareSchemas } from "@cmcp/inspection";
import type { PolicyBundle } from "@cmcp/policy";
import { redactionsOf, type RedactionReach } from "@cmcp/policy/authoring";

/** Most tools that one finding names. */
const MAX_NAMED = 5;

/** What a rule that redacts can only withhold, because no schema tells its fields apart. */
function withholding({ tools: catalog }: Pick<Catalog, "tools">, redaction: RedactionReach): readonly string[] {
  const { rule, redactFields, tools, reachesUnstructured } = redaction;
  const fields = redactFields.join(", ");
  const blind = tools.filter((name) => {
    const tool = catalog.get(name);
    return tool !== undefined && !canProject(prepareSchemas(tool).projection, redactFields);
  });
  const more = blind.length > MAX_NAMED ? ` and ${blind.length - MAX_NAMED} more` : "";
  return [
    ...(blind.length === 0
      ? []
      : [
          `${rule} redacts ${fields}, and results of ${blind.slice(0, MAX_NAMED).join(", ")}${more} can only be ` +
            "withheld: no output schema or projection_schema declares every field",
        ]),
    ...(reachesUnstructured
      ? [`${rule} redacts ${fields}, and resources, prompts and completions can only be withheld: they have no schema`]
      : []),
  ];
}

/**
 * What an operator should know of how inspection reads a catalog under a policy: input schemas read as closed, and
 * rules that can only withhold.
 */
export function inspectionFindings(
  bundle: PolicyBundle,
  catalog: Pick<Catalog, "tools"> & Partial<Catalog>,
): readonly string[] {
  return [
    ...[...catalog.tools.values()].flatMap(lintInputSchema),
    ...redactionsOf(bundle, catalog).flatMap((redaction) => withholding(catalog, redaction)),
  ];
}
