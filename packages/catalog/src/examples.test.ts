import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parseJsonText } from "@cmcp/boundary";
import { loadCatalog } from "./load.ts";
import { DEVELOPMENT } from "./test-support.ts";

void test("the quickstart catalog loads as it stands", async () => {
  const path = join(import.meta.dirname, "../../../examples/quickstart/catalog.json");
  const catalog = loadCatalog(parseJsonText(await readFile(path, "utf8")), DEVELOPMENT);
  assert.deepEqual([...catalog.tools.keys()].toSorted(), ["echo", "get-env", "get-sum", "get_patient_record", "send_message"]);
  assert.equal(catalog.servers.length, 2);
});
