/** Every public function has an example beside its package, and every example runs and checks itself. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import * as claim from "@cmcp/claim";
import * as verify from "@cmcp/verify";
import * as wire from "@cmcp/wire";
import { API_PACKAGES, exampleOf } from "../../scripts/api-reference.ts";
import { ROOT } from "./deployment-folder.ts";

const MODULES: Readonly<Record<(typeof API_PACKAGES)[number], object>> = { claim, verify, wire };
/** Functions that need the vsock device of a machine; `make vm-test` runs them. */
const WITHOUT_EXAMPLE: readonly string[] = ["listenVsock", "vsockDialer", "loadVsockAddon"];

const run = promisify(execFile);

for (const folder of API_PACKAGES) {
  const functions = Object.entries(MODULES[folder]).flatMap(([name, value]) =>
    typeof value === "function" && !WITHOUT_EXAMPLE.includes(name) ? [name] : [],
  );
  const page = readFileSync(join(ROOT, `docs/reference/api/${folder}.md`), "utf8");

  describe(`the entry point of packages/${folder}`, () => {
    test("has an example for each function, and no example without one", () => {
      assert.ok(functions.length >= 4, functions.join());
      const wanted = functions.map((name) => exampleOf(folder, name));
      assert.deepEqual(globSync(`packages/${folder}/examples/*.ts`, { cwd: ROOT }).sort(), wanted.sort());
    });

    test("has each of its values on the page", () => {
      for (const name of Object.keys(MODULES[folder])) assert.ok(page.includes(`### ${name}\n`), name);
    });

    for (const name of functions)
      test(`${name}: its example calls it, and what it says holds`, async () => {
        const file = join(ROOT, exampleOf(folder, name));
        const source = readFileSync(file, "utf8");
        assert.match(source, new RegExp(`import \\{[^}]*\\b${name}\\b[^}]*\\} from "@cmcp/${folder}"`));
        assert.match(source, /^(?:await )?assert\b/m);
        await run(process.execPath, ["--disable-warning=ExperimentalWarning", file], { cwd: ROOT, timeout: 60_000 });
      });
  });
}

test("the record of the examples is that of the claim's SPEC", () => {
  const spec = readFileSync(join(ROOT, "packages/claim/SPEC.md"), "utf8");
  const block = (name: string): unknown =>
    JSON.parse(new RegExp(`^\`\`\`json ${name}\\n([^]*?)\\n\`\`\`$`, "m").exec(spec)?.[1] ?? "null");
  const record = (name: string): unknown =>
    JSON.parse(readFileSync(join(ROOT, `packages/claim/examples/record/${name}.json`), "utf8"));
  for (const name of ["claim", "receipt", "key"]) assert.deepEqual(record(name), block(name), name);
  const { bundle_signature } = block("derived") as { readonly bundle_signature: string };
  const entries = block("entries") as readonly { readonly session_id: string }[];
  assert.deepEqual(record("audit-bundle"), { session_id: entries[0]?.session_id, entries, bundle_signature });
});
