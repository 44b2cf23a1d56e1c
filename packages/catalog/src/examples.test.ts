import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parseJsonText } from "@cmcp/boundary";
import { loadCatalog, type Catalog } from "./load.ts";
import { findResource } from "./resource/find.ts";
import { DEVELOPMENT } from "./test-support.ts";

async function example(name: string): Promise<Catalog> {
  const path = join(import.meta.dirname, `../../../examples/${name}/catalog.json`);
  return loadCatalog(parseJsonText(await readFile(path, "utf8")), DEVELOPMENT);
}

void test("the quickstart catalog loads as it stands", async () => {
  const catalog = await example("quickstart");
  assert.deepEqual([...catalog.tools.keys()].toSorted(), [
    "echo",
    "get-env",
    "get-sum",
    "get_patient_record",
    "send_message",
  ]);
  assert.equal(catalog.servers.length, 2);
  assert.deepEqual([catalog.resources.size, catalog.prompts.size], [0, 0]);
});

void test("the example with resources and prompts loads in development, all on its one named server", async () => {
  const { tools, resources, prompts, servers } = await example("resources-and-prompts");
  assert.deepEqual(
    servers.map(({ settings }) => settings?.name),
    ["everything"],
  );
  assert.deepEqual([...tools.keys()], ["echo", "trigger-elicitation-request"]);
  assert.deepEqual([...prompts.keys()], ["args-prompt", "resource-prompt"]);
  assert.equal(resources.get("demo://resource/static/document/architecture.md")?.sensitivityLevel, "confidential");
  assert.deepEqual(
    [...(findResource(resources, "demo://resource/dynamic/text/2")?.variables ?? [])],
    [["resourceId", "2"]],
  );
  for (const approved of [...tools.values(), ...resources.values(), ...prompts.values()])
    assert.equal(approved.server, servers[0]);
});
