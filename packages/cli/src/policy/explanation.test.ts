import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fixedMeaning } from "./explanation.ts";

const CALL = join(import.meta.dirname, "../../../enclave/src/call");
const VERDICT = join(import.meta.dirname, "../../../policy/src/verdict.ts");

test("every word that a record has in place of a rule has a meaning", async () => {
  const files = (await readdir(CALL)).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  const texts = await Promise.all(files.map(async (name) => await readFile(join(CALL, name), "utf8")));
  const words = new Set(
    texts.flatMap((text) => [...text.matchAll(/rule: "([a-z]+(?:[-_][a-z]+)+)"/g)].map(([, word]) => word)),
  );
  const [, fixed = ""] = /export type FixedRule =([^;]*);/.exec(await readFile(VERDICT, "utf8")) ?? [];
  for (const [, word] of fixed.matchAll(/"([^"]+)"/g)) words.add(word);
  assert.ok(words.size >= 15);
  for (const word of words) assert.notEqual(fixedMeaning(word ?? ""), null, word);
  for (const word of ["rate_limit:0", "budget:1", "sink_policy:tool_denied", "kill_switch:uncounted"])
    assert.notEqual(fixedMeaning(word), null, word);
  for (const word of ["constructor", "rules.cedar#1", "no-phi-outside"]) assert.equal(fixedMeaning(word), null, word);
});
