import { schemaToText } from "@cedar-policy/cedar-wasm/nodejs";
import { CmcpError } from "@cmcp/boundary";
import type { PolicyBundle } from "../bundle/index.ts";
import { engineText } from "../compile/engine-errors.ts";
import { checkNesting } from "../compile/nesting.ts";
import { parsePolicies } from "../compile/policies.ts";
import { SHAPE_TYPES, shapeOf } from "../compile/shape.ts";
import { builtinSchema, type ToolOutline } from "../schema/builtin.ts";
import { describeSchema } from "../schema/describe.ts";
import { parseSchema } from "../schema/parse.ts";

/**
 * Text of a `schema.cedarschema` that declares what a bundle's rules read and nothing else, arguments with
 * the types the catalog's input schemas give them.
 *
 * @throws CmcpError `POLICY_BUNDLE_INVALID`.
 */
export function writeSchema(bundle: PolicyBundle, tools: readonly ToolOutline[]): string {
  for (const [path, text] of [...bundle.cedarFiles, ["schema.cedarschema", bundle.schemaText] as const]) checkNesting(path, text);
  const policies = parsePolicies([...bundle.cedarFiles]);
  const written = parseSchema(bundle.schemaText);
  const shape = shapeOf(policies, written.ok ? describeSchema(written.schema) : undefined);
  const reads = policies.flatMap((policy) => policy.references.reads);
  const named = policies.flatMap((policy) => policy.references.entities.flatMap(({ type, id }) => (type === SHAPE_TYPES["per-tool-action"].action && id !== null ? [id] : [])));
  const answer = schemaToText(builtinSchema(shape, tools, reads, named));
  if (answer.type === "failure") throw new CmcpError("INTERNAL", `the schema could not be written: ${engineText(answer.errors)}`);
  return answer.text.endsWith("\n") ? answer.text : `${answer.text}\n`;
}
