/** Both scripts of the enclave freeze the intrinsics before any other code of theirs, or of a library, runs. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** Says at each module that is asked for whether the intrinsics were frozen by then, and then loads the script. */
const WATCH = `
  const Module = require("node:module"), load = Module._load, said = [];
  Module._load = (name, ...rest) => { said.push([name, Object.isFrozen(JSON) && Object.isFrozen(Array.prototype)]); return load(name, ...rest); };
  process.once("exit", () => require("node:fs").writeSync(1, JSON.stringify(said)));
  process.once("unhandledRejection", () => process.exit());
  Module._load(process.argv[1]);
`;

for (const script of ["enclave.cjs", "policy-worker.cjs"]) {
  test(`${script} freezes before it loads anything`, () => {
    const path = fileURLToPath(new URL(`../../packages/cli/dist/enclave/${script}`, import.meta.url));
    const { stdout } = spawnSync(process.execPath, ["--eval", WATCH, "--", path], {
      encoding: "utf8",
      env: {},
      timeout: 30_000,
    });
    const [itself, ...asked] = JSON.parse(stdout) as [string, boolean][];
    assert.deepEqual(itself, [path, false]);
    assert.ok(asked.length > 0, "it loads something");
    assert.deepEqual(
      asked.filter(([, frozen]) => !frozen),
      [],
    );
  });
}
