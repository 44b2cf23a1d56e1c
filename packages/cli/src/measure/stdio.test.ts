import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, test } from "node:test";
import { CmcpError, toHex } from "@cmcp/boundary";
import { treeDigest } from "@cmcp/spawner/tree";
import { measureStdio } from "./stdio.ts";

const folder = await mkdtemp(join(tmpdir(), "cmcp-measure-stdio-"));
after(() => rm(folder, { recursive: true }));

async function printed(...args: readonly string[]): Promise<string> {
  const out = new PassThrough();
  assert.equal(await measureStdio.run([...args], { out, err: out, colour: false }), 0);
  out.end();
  return (await out.toArray()).join("");
}

test("one file has its plain SHA-256, a folder the digest the spawner requires", async () => {
  const file = join(folder, "main.js");
  await writeFile(file, "console.log(1)\n");
  assert.equal(await printed(file), `sha256:${createHash("sha256").update("console.log(1)\n").digest("hex")}\n`);
  assert.deepEqual(JSON.parse(await printed(folder, "--json")), {
    ok: true,
    measure_target: folder,
    binary_digest: `sha256:${toHex(treeDigest(folder))}`,
  });
});

test("what cannot be measured is refused", async () => {
  await symlink("/etc/passwd", join(folder, "out"));
  await assert.rejects(
    printed(folder),
    (thrown) => thrown instanceof CmcpError && thrown.code === "SPAWN_TREE_REFUSED",
  );
  await assert.rejects(printed(), (thrown) => thrown instanceof CmcpError && thrown.code === "USAGE");
});
