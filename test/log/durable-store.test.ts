/** What a host asks of its store: that an acknowledged record is on the disk, exactly where the launch document has witnesses. */
import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { temporaryDirectory } from "../../host-proxy/src/testing/temporary-directory.ts";
import { SigningWitness } from "../../packages/log/src/testing/signing-witness.ts";
import { deployQuickstart, listenOnAnyPort } from "../gateway/deployment.ts";
import { StartRefused } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";

/** How a gateway's store is set when it is opened, whether or not the gateway then starts. */
async function settingOf(t: TestContext, settings: string): Promise<string | undefined> {
  const folder = join(temporaryDirectory(t), "deployment");
  const config = await deployQuickstart(folder, {
    everythingPort: 1,
    recordsPort: 2,
    recordsFingerprint: `SHA256:${"A".repeat(43)}=`,
  });
  await listenOnAnyPort(config);
  await appendFile(config, settings);
  const exec = t.mock.method(DatabaseSync.prototype, "exec");
  try {
    const gateway = await startInProcess(config, { CMCP_DEV_MODE: "1" });
    await gateway.stop();
  } catch (thrown) {
    if (!(thrown instanceof StartRefused)) throw thrown;
    assert.match(thrown.output, /WITNESS_UNAVAILABLE/);
  } finally {
    exec.mock.restore();
  }
  return exec.mock.calls.map(({ arguments: [sql] }) => sql).find((sql) => sql?.includes("synchronous"));
}

test("with witnesses the host's store waits for the disk", async (t) => {
  const log = { witnesses: `${new SigningWitness("a").line}quorum a\n`, witness_wait_ms: 100 };
  const urls = { a: "http://127.0.0.1:1/" };
  const settings = `log: ${JSON.stringify(log)}\nwitness_urls: ${JSON.stringify(urls)}\n`;
  assert.equal(await settingOf(t, settings), "PRAGMA synchronous = FULL");
});

test("without witnesses no call waits for the disk", async (t) => {
  assert.equal(await settingOf(t, ""), "PRAGMA synchronous = NORMAL");
});
