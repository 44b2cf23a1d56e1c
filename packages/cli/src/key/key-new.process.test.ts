/** `cmcp key new`, as shipped: a key is written whole, or there is no file and the reason is said. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../dist/cmcp.mjs", import.meta.url));

test("what stands in the way is named, nothing half written stays, and a key that is there is kept", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-key-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const key = join(folder, "key.pem");
  const cmcp = (path: string, limits = "") =>
    spawnSync(
      "sh",
      [
        "-c",
        `${limits} exec "$@"`,
        "sh",
        process.execPath,
        "--disable-warning=ExperimentalWarning",
        CLI,
        "key",
        "new",
        path,
      ],
      { env: { PATH: process.env["PATH"], NO_COLOR: "1" }, encoding: "utf8" },
    );
  const full = cmcp(key, "ulimit -f 0;");
  assert.deepEqual([full.status, await readdir(folder)], [64, []], full.stderr);
  assert.match(full.stderr, /cannot write .*key\.pem: it is larger than the file size limit of this user\n/);
  const nowhere = cmcp(join(folder, "nowhere", "key.pem"));
  assert.equal(nowhere.status, 64);
  assert.match(nowhere.stderr, /: its folder does not exist\n/);

  assert.equal(cmcp(key).status, 0);
  const made = await readFile(key, "utf8");
  assert.equal((await stat(key)).mode & 0o777, 0o600);
  const again = cmcp(key);
  assert.equal(again.status, 64);
  assert.match(again.stderr, /: the file exists, and it is never overwritten\n/);
  assert.equal(await readFile(key, "utf8"), made);
});
