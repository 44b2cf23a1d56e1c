import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { incompleteSessionSchema } from "@cmcp/audit";
import { canonicalBytes, parseJsonText } from "@cmcp/boundary";
import { findRecordedCall } from "./recorded-call.ts";

test("a call is found in the export of an interrupted session, beside evidence as deep as a platform has it", async () => {
  const file = new URL("../../../claim/examples/record/incomplete.json", import.meta.url);
  const left = incompleteSessionSchema.parse(parseJsonText(await readFile(file, "utf8")));
  let evidence: Record<string, unknown> = {};
  for (let level = 1; level < 12; level += 1) evidence = { nested: evidence };
  const handOver = { ...left.hand_over, body: { ...left.hand_over?.body, evidence } };
  const call = left.entries[1];
  const found = findRecordedCall(canonicalBytes({ ...left, hand_over: handOver }), call?.call_id ?? "");
  assert.deepEqual(found.entry, call);
});
