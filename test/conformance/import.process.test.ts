/** `cmcp catalog import` as shipped, against the reference server of each era. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseJsonText } from "@cmcp/boundary";
import { findResource, loadCatalog } from "@cmcp/catalog";
import { cmcp } from "../gateway/cli.ts";
import { PROMPTS } from "./reference-server/prompts.ts";
import { RESOURCES, TEMPLATE } from "./reference-server/resources.ts";
import { startReferenceServer } from "./reference-server/server.ts";

const REVIEW = ["--approved-by", "reviewer@clinic.example", "--domain", "public", "--sensitivity", "public"];

interface Imported {
  readonly added: readonly string[];
  readonly unchanged: readonly string[];
  readonly hash: string;
}

for (const version of ["2025-11-25", "2026-07-28"] as const) {
  test(`${version}: resources, templates and prompts become entries that load`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-import-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const server = await startReferenceServer(version);
    t.after(() => server.close());
    const path = join(folder, "catalog.json");
    const imported = async (...args: string[]): Promise<Imported> => {
      const run = await cmcp(["catalog", "import", server.url, ...REVIEW, "--into", path, "--json", ...args]);
      assert.equal(run.code, 0, run.stdout + run.stderr);
      return JSON.parse(run.stdout) as Imported;
    };
    assert.deepEqual(
      (await imported("--no-tools", "--prompt", "test_simple_prompt", "--resource", TEMPLATE.uriTemplate)).added,
      [TEMPLATE.uriTemplate, "test_simple_prompt"],
    );
    const all = await imported("--resources", "--prompts", "--set", "test://static-text:sensitivity=confidential");
    assert.deepEqual(all.unchanged, [TEMPLATE.uriTemplate, "test_simple_prompt"]);
    const catalog = loadCatalog(parseJsonText(await readFile(path, "utf8")), {
      developmentMode: true,
      vocabulary: { has: () => true, hasDomain: () => true },
    });
    assert.equal(catalog.hash, all.hash);
    assert.deepEqual(
      [...catalog.resources.keys()].toSorted(),
      [...RESOURCES.map(({ uri }) => uri), TEMPLATE.uriTemplate].toSorted(),
    );
    for (const { name } of PROMPTS) assert.ok(catalog.prompts.has(name), name);
    assert.ok(catalog.tools.has("test_simple_text"));
    assert.equal(catalog.resources.get("test://static-text")?.sensitivityLevel, "confidential");
    assert.equal(findResource(catalog.resources, "test://template/9/data")?.variables.get("id"), "9");
    assert.equal(catalog.servers.length, 1);
    const unknown = await cmcp([
      "catalog",
      "import",
      server.url,
      ...REVIEW,
      "--into",
      path,
      "--prompt",
      "gone",
      "--json",
    ]);
    assert.equal(unknown.code, 64, unknown.stdout);
    assert.match(unknown.stdout, /--prompt gone: the server does not list it/);
  });
}
