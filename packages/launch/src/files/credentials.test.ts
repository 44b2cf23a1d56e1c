import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { CmcpError, untrusted } from "@cmcp/boundary";
import { parseConfig } from "../config/load.ts";
import { parseProvision } from "@cmcp/provision/message";
import { readCredentialsFile } from "./credentials.ts";
import { readProvision } from "./tokens.ts";

const folder = await mkdtemp(join(tmpdir(), "cmcp-credentials-"));
const path = join(folder, "credentials");
after(() => rm(folder, { recursive: true }));

async function written(text: string, mode = 0o600): Promise<string> {
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

test("a credentials file becomes part of the provision message, beside tokens or without any", async () => {
  const file = await written("# servers\n\nledger-token abc.DEF-1~+/==\nnotes\t x \r\n");
  const credentials = [
    { name: "ledger-token", value: "abc.DEF-1~+/==" },
    { name: "notes", value: "x" },
  ];
  assert.deepEqual(await readCredentialsFile(file), credentials);
  for (const [env, rest] of [
    [{ CMCP_DEV_MODE: "1" }, { tokens: [], tokenless: true }],
    [{ CMCP_BEARER_TOKEN: "t" }, {}],
  ] as const) {
    const loaded = parseConfig("", { env });
    assert.partialDeepStrictEqual(
      parseProvision(
        untrusted(
          (await readProvision({ ...loaded, paths: { tokenFile: null, credentialsFile: file } })) ?? assert.fail(),
        ),
      ),
      { credentials, ...rest },
    );
  }
});

test("what is no credential is refused without being repeated", async () => {
  const bad = [
    "ledger",
    "Ledger hunter2",
    "ledger hunter2 more",
    "ledger hunter\u00fc2",
    `ledger ${"x".repeat(4_097)}`,
    "ledger hunter2\nledger hunter3",
    Array.from({ length: 257 }, (_, at) => `c${at} hunter2`).join("\n"),
  ];
  for (const text of bad) {
    await assert.rejects(
      readCredentialsFile(await written(text)),
      (thrown) =>
        thrown instanceof CmcpError &&
        thrown.code === "CONFIG_INVALID" &&
        /credentials: line \d+: /.test(thrown.message) &&
        !/hunter/.test(thrown.message),
    );
  }
  await assert.rejects(
    readCredentialsFile(await written("ledger x", 0o640)),
    (thrown) => thrown instanceof CmcpError && /is accessible to group or others/.test(thrown.message),
  );
});
