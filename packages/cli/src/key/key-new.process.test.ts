/** `cmcp key new`, as shipped: a key is written whole, or there is no file and the reason is said. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { fromBase64Url } from "@cmcp/boundary";
import { keyFromPem } from "@cmcp/seal";

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

test("a storage key is 32 bytes for its owner alone, another each time, and is not shown", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-key-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const keys = await Promise.all(
    ["one", "two"].map(async (name) => {
      const path = join(folder, name);
      const args = ["--disable-warning=ExperimentalWarning", CLI, "key", "new", path, "--storage", "--json"];
      const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
      assert.deepEqual([status, JSON.parse(stdout)], [0, { ok: true, file: path }]);
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      return (await readFile(path, "utf8")).trim();
    }),
  );
  assert.deepEqual(
    keys.map((key) => fromBase64Url(key)?.length),
    [32, 32],
  );
  assert.notEqual(keys[0], keys[1]);
});

test("an auditor's pair is of X-Wing unless another is asked for, and of no unknown kind", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-key-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const make = (name: string, ...options: readonly string[]) => {
    const args = ["--disable-warning=ExperimentalWarning", CLI, "key", "new", join(folder, name), "--json", ...options];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
    return {
      status,
      answer: JSON.parse(stdout) as { readonly public_key?: string; readonly error?: { code: string } },
    };
  };
  for (const [name, kem, options] of [
    ["default.pem", "x-wing", []],
    ["wing.pem", "x-wing", ["--kem", "x-wing"]],
    ["curve.pem", "x25519", ["--kem", "x25519"]],
  ] as const) {
    const { status, answer } = make(name, "--auditor", ...options);
    const key = keyFromPem(await readFile(join(folder, name), "utf8"));
    assert.deepEqual([status, key?.kem.name], [0, kem]);
    assert.deepEqual(fromBase64Url(answer.public_key ?? ""), key?.publicKey);
  }
  for (const options of [
    ["--kem", "x-wing"],
    ["--auditor", "--kem", "p256"],
    ["--auditor", "--storage"],
    ["--storage", "--kem", "x-wing"],
  ]) {
    const { status, answer } = make("none.pem", ...options);
    assert.deepEqual([status, answer.error?.code], [64, "USAGE"]);
  }
  assert.equal((await readdir(folder)).length, 3);
});
