import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseJsonText } from "@cmcp/boundary";
import { loadCatalog } from "@cmcp/catalog";
import { cmcp } from "../gateway/cli.ts";
import { Comparison } from "./comparison.ts";
import { EXAMPLES, script } from "./python.ts";

/** Every published example loads here unchanged and hashes as the Python runtime hashes it. Returns the number of differences. */
export async function comparePublishedExamples(): Promise<number> {
  const comparison = new Comparison();
  const published = JSON.parse(await script("hashes.py", [EXAMPLES])) as Record<
    string,
    { policy: string; catalog: string }
  >;
  comparison.add("examples found", "bfsi-demo minimal", Object.keys(published).join(" "));
  for (const [name, theirs] of Object.entries(published)) {
    const policies = join(EXAMPLES, name, "policies");
    const catalog = join(EXAMPLES, name, "catalog.json");
    const bundle = await cmcp(["validate-bundle", "--bundle-path", policies, "--expected-hash", theirs.policy]);
    comparison.add(`${name}: bundle loads`, "exit 0", `exit ${bundle.code}`);
    comparison.add(`${name}: policy hash`, theirs.policy, (await cmcp(["policy", "hash", policies])).stdout.trim());
    const loaded = loadCatalog(parseJsonText(await readFile(catalog, "utf8")), {
      developmentMode: true,
      vocabulary: { has: () => true, hasDomain: () => true },
    });
    comparison.add(`${name}: catalog loads`, theirs.catalog, loaded.hash);
    comparison.add(`${name}: catalog hash`, theirs.catalog, (await cmcp(["catalog", "hash", catalog])).stdout.trim());
  }
  return comparison.print("Published examples of the Python runtime, unchanged");
}
