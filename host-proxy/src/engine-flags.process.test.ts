import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { HOST_ENGINE_FLAGS } from "./engine-flags.ts";

test("V8 knows every flag: of one it does not know it only complains, on standard error", () => {
  const { stdout } = spawnSync(process.execPath, ["--v8-options"], { encoding: "utf8" });
  for (const flag of HOST_ENGINE_FLAGS) {
    const name = flag.replace(/^--(?:no-)?/, "").replace(/=.*$/, "");
    assert.ok(stdout.includes(`  --${name} (`), name);
  }
});
