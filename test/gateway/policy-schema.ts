import assert from "node:assert/strict";
import { join } from "node:path";
import { cmcp } from "./cli.ts";

/** Writes the Cedar schema that a deployment's rules need over the one it was given, as an operator would. */
export async function writePolicySchema(folder: string): Promise<void> {
  const bundle = join(folder, "policies");
  const { code, stderr } = await cmcp([
    "policy",
    "schema",
    bundle,
    "--catalog",
    join(folder, "catalog.json"),
    "--out",
    join(bundle, "schema.cedarschema"),
  ]);
  assert.equal(code, 0, stderr);
}
