import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { readStorageKeyFile } from "./storage-key.ts";

const KEY = "AbC-_0".repeat(7);

test("a storage key is 32 bytes of base64url in a file of its owner's, and is not told otherwise", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-storage-key-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "storage.key");
  const read = async (text: string): Promise<string> => {
    await writeFile(path, text, { mode: 0o600 });
    return await readStorageKeyFile(path);
  };
  for (const written of [`${KEY}A`, `${KEY}A\n`]) assert.equal(await read(written), `${KEY}A`);
  const refused = (thrown: unknown): boolean =>
    thrown instanceof CmcpError &&
    thrown.code === "CONFIG_INVALID" &&
    thrown.message.includes(path) &&
    !thrown.message.includes(KEY);
  for (const text of ["", KEY, `${KEY}AA`, `${KEY}B`, `${KEY}=`, `${KEY}A\n${KEY}A`, "x".repeat(2000)])
    await assert.rejects(read(text), refused, text);
  await writeFile(path, `${KEY}A`);
  await chmod(path, 0o640);
  await assert.rejects(readStorageKeyFile(path), refused, "others could read it");
});
