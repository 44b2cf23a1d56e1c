import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parseJsonText } from "@cmcp/boundary";
import { loadCatalog } from "./load.ts";
import { DEVELOPMENT } from "./test-support.ts";

const folder = process.env.CMCP_PUBLIC_EXAMPLES;
const skip = folder === undefined ? "CMCP_PUBLIC_EXAMPLES does not name the examples folder of the existing implementation" : false;

// Computed with the existing implementation's package over its own example catalogs.
const PUBLISHED: Readonly<Record<string, string>> = {
  minimal: "sha256:d7fc3e42744ea15a93f6c7309c08722bec66939c55338bafec0774ee63ac8b00",
  "bfsi-demo": "sha256:7b81b9430c2a3ca7d0cc15de08e2a0e92167de763ebc9f96bd4b685c98b88260",
};

for (const [name, hash] of Object.entries(PUBLISHED)) {
  void test(`the published example catalog ${name} loads unchanged and hashes the same`, { skip }, async () => {
    const raw = parseJsonText(await readFile(join(folder ?? "", name, "catalog.json"), "utf8"));
    assert.equal(loadCatalog(raw, DEVELOPMENT).hash, hash);
  });
}

void test("the quickstart catalog loads as it stands", async () => {
  const path = join(import.meta.dirname, "../../../examples/quickstart/catalog.json");
  const catalog = loadCatalog(parseJsonText(await readFile(path, "utf8")), DEVELOPMENT);
  assert.deepEqual([...catalog.tools.keys()].toSorted(), ["echo", "get-env", "get-sum", "get_patient_record", "send_message"]);
  assert.equal(catalog.servers.length, 2);
});
