import { schemaToText } from "@cedar-policy/cedar-wasm/nodejs";
import { CmcpError } from "@cmcp/boundary";
import type { PolicyBundle } from "../bundle/index.ts";
import { engineText } from "../compile/engine-errors.ts";
import { checkNesting } from "../compile/nesting.ts";
import { parsePolicies } from "../compile/policies.ts";
import { actionsFor } from "../compile/governed.ts";
import { outlineOf, type PolicyCatalog } from "../compile/outline.ts";
import { namedActions } from "../compile/plan.ts";
import { shapeOf } from "../compile/shape.ts";
import { builtinSchema } from "../schema/builtin.ts";
import { describeSchema } from "../schema/describe.ts";
import { parseSchema } from "../schema/parse.ts";

/**
 * Text of a `schema.cedarschema` that declares what a bundle's rules read and nothing else. Arguments have the types
 * of the approved definitions. It has the actions for which the catalog has something. Declaring an action puts it
 * under the bundle's rules, those without a scope of their own among them.
 *
 * @throws CmcpError `POLICY_BUNDLE_INVALID`.
 */
export function writeSchema(bundle: PolicyBundle, catalog: PolicyCatalog): string {
  for (const [path, text] of [...bundle.cedarFiles, ["schema.cedarschema", bundle.schemaText] as const])
    checkNesting(path, text);
  const policies = parsePolicies([...bundle.cedarFiles]);
  const written = parseSchema(bundle.schemaText);
  const shape = shapeOf(policies, written.ok ? describeSchema(written.schema) : undefined);
  const reads = policies.flatMap((policy) => policy.references.reads);
  const outline = outlineOf(catalog);
  const named = [...namedActions(shape, policies), ...(shape === "call_tool" ? actionsFor(outline) : [])];
  const answer = schemaToText(builtinSchema(shape, outline, reads, named));
  if (answer.type === "failure")
    throw new CmcpError("INTERNAL", `the schema could not be written: ${engineText(answer.errors)}`);
  return answer.text.endsWith("\n") ? answer.text : `${answer.text}\n`;
}
