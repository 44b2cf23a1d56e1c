import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { TIER_UP_FLAG } from "./optimise-soon.ts";

await test("V8 knows the flag: of one it does not know it only complains, on standard error", () => {
  const { stdout } = spawnSync(process.execPath, ["--v8-options"], { encoding: "utf8" });
  assert.ok(stdout.includes(`  ${TIER_UP_FLAG} (`), "node --v8-options lists it");
});
