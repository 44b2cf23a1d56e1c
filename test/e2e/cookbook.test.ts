/** Every recipe of the cookbook decides its saved calls as their names say, and is linted clean. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { compilePolicy } from "@cmcp/policy";
import { lintBundle, writeSchema } from "@cmcp/policy/authoring";
import { loadBundleFolder } from "../../packages/cli/src/check/read-bundle-folder.ts";
import { decideSaved, finderFor } from "../../packages/cli/src/policy/decide-saved.ts";
import { inspectionFindings } from "../../packages/cli/src/policy/inspection-findings.ts";
import { readSavedCall } from "../../packages/cli/src/policy/saved-call.ts";
import { readTools } from "../../packages/cli/src/policy/tools.ts";
import { ROOT } from "../gateway/deployment.ts";

const COOKBOOK = join(ROOT, "examples/cookbook");
const WORKER = pathToFileURL(join(ROOT, "packages/policy/src/compile-worker.ts"));
/** Whom the recipes may name. */
const APPROVERS = ["alice", "bob"];
const RECIPES = await readdir(COOKBOOK);

describe("the policy cookbook", () => {
  for (const recipe of RECIPES) {
    test(recipe, async () => {
      const at = (...parts: string[]): string => join(COOKBOOK, recipe, ...parts);
      const bundle = await loadBundleFolder(at("policies"));
      const catalog = await readTools(at("catalog.json"));
      assert.deepEqual([...lintBundle(bundle, catalog, APPROVERS), ...inspectionFindings(bundle, catalog)], []);
      assert.equal(bundle.schemaText, writeSchema(bundle, catalog), "policy schema would write another schema");
      const policy = await compilePolicy(bundle, catalog, { workerUrl: WORKER });
      const find = await finderFor(policy);
      const decisions = new Set<string>();
      for (const name of await readdir(at("calls"))) {
        const { decision, rule, approval } = decideSaved(policy, catalog, await readSavedCall(at("calls", name)), find);
        assert.equal(decision, name.slice(0, name.indexOf("-")), `${name}: ${rule}`);
        assert.equal(approval !== undefined, decision === "step_up", `${name}: approvals lift what asks for them`);
        assert.notEqual(rule, "input-schema", `${name} is refused before policy`);
        decisions.add(decision);
      }
      assert.ok(decisions.size >= 2, "a recipe shows what it lets through and what it does not");
    });
  }

  test("the page has every recipe", async () => {
    const page = await readFile(join(ROOT, "docs/how-to/policy-cookbook.md"), "utf8");
    for (const recipe of RECIPES) assert.ok(page.includes(`examples/cookbook/${recipe}/policies/rules.cedar`), recipe);
  });
});
