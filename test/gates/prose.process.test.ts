/** `make prose` is worth something only while a long sentence and a word of the vocabulary fail it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The rules that a page breaks. */
async function broken(page: string): Promise<string[]> {
  const args = ["node_modules/textlint/bin/textlint.js", "--format", "json", "--stdin", "--stdin-filename", "page.md"];
  const out = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { cwd: ROOT }, (_error, printed) => resolve(printed)).stdin?.end(page);
  });
  const [file] = JSON.parse(out) as { messages: { ruleId: string }[] }[];
  assert.ok(file !== undefined, out);
  return file.messages.map(({ ruleId }) => ruleId);
}

test("a page in plain English passes", async () => {
  assert.deepEqual(await broken("# Page\n\nThe gateway refuses a key that is not valid.\n"), []);
});

test("a long sentence fails", async () => {
  assert.deepEqual(await broken(`# Page\n\nThe gateway${" and the host".repeat(20)} are here.\n`), ["sentence-length"]);
});

test("a word that is not used fails, but not in code", async () => {
  assert.deepEqual(await broken("# Page\n\nIt refuses a key that is none.\n"), ["terminology"]);
  assert.deepEqual(await broken("# Page\n\nNot used: `a key that is none`.\n"), []);
});
