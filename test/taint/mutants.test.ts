import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../gateway/deployment.ts";
import { APPROVAL_MUTANTS } from "./approval-mutants.ts";
import { MUTANTS } from "./mutants.ts";

test("what each mutant deletes stands once in its source", async () => {
  assert.ok(MUTANTS.length > 0);
  for (const { name, file, edit } of APPROVAL_MUTANTS)
    assert.equal((await readFile(join(ROOT, file), "utf8")).split(edit[0]).length, 2, `${name}: ${edit[0]}`);
  for (const { name, file, edits, also } of MUTANTS) {
    for (const place of [{ file, edits }, ...(also === undefined ? [] : [also])]) {
      const source = await readFile(join(ROOT, place.file), "utf8");
      for (const [find] of place.edits) assert.equal(source.split(find).length, 2, `${name}: ${find}`);
    }
  }
});
