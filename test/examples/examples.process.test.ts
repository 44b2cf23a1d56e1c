/** Every example runs by its one command, and its agent sees what its README says. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { auditBundleSchema } from "@cmcp/audit/schema";
import { ROOT } from "../gateway/deployment.ts";

const EXAMPLES = readdirSync(join(ROOT, "examples"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !["node_modules", "cookbook"].includes(entry.name))
  .map(({ name }) => name);

/** What `make example NAME=…` prints; it ends with 0, or this throws what it said. */
async function run(name: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const words = ["--disable-warning=ExperimentalWarning", join(ROOT, "examples/run.ts"), name];
    execFile(process.execPath, words, { timeout: 300_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${name}: ${error.message}\n${stdout}${stderr}`));
    });
  });
}

/** The lines that the example's README shows, and nothing more of the agent's. */
function shown(name: string): string[] {
  const readme = readFileSync(join(ROOT, "examples", name, "README.md"), "utf8");
  const lines = /```text\n(.*?)```/s.exec(readme)?.[1]?.trim().split("\n") ?? [];
  assert.ok(lines.length > 4, `the README of ${name} shows what its agent prints`);
  return lines;
}

/** The evidence class of each server in the record that the example leaves. */
function evidenceOf(name: string): Set<string> {
  const bundle = readFileSync(join(ROOT, "out/examples", name, "audit-bundle.json"), "utf8");
  return new Set(auditBundleSchema.parse(JSON.parse(bundle)).entries.map(({ evidence_class: shownAs }) => shownAs));
}

for (const name of EXAMPLES) {
  test(`${name} runs by one command`, async () => {
    const printed = (await run(name)).replaceAll(/\/tmp\/cmcp-[\w-]{8}-/g, "/tmp/cmcp-");
    const agent = printed.slice(0, printed.indexOf("\nACCEPTED")).split("\n");
    const expected = shown(name);
    // Without confinement both principals' servers share the machine's /tmp.
    const confined = name !== "several-servers" || evidenceOf(name).has("spawn-measured");
    assert.deepEqual(confined ? agent : agent.slice(0, -1), confined ? expected : expected.slice(0, -1));
    assert.match(printed, /^ACCEPTED.*closed session/m);
  });
}

test("an example that is none is refused with the names there are", async () => {
  await assert.rejects(run("none"), /NAME is one of quickstart, resources-and-prompts, several-servers/);
});
