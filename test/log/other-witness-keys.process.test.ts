/** The gateway as it is shipped, where other witnesses answer than those whose keys are measured. */
import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { temporaryDirectory } from "../../host-proxy/src/testing/temporary-directory.ts";
import { TestWitness } from "../../host-proxy/src/testing/witness-server.ts";
import { deployQuickstart, listenOnAnyPort } from "../gateway/deployment.ts";
import { developmentEnvironment, startGateway, StartRefused } from "../gateway/gateway.ts";

const NAMES = ["w0", "w1", "w2"];

/** A start whose document names these witnesses, while those answer. Two of three are a quorum. */
async function start(t: TestContext, measured: readonly TestWitness[], answering: readonly TestWitness[]) {
  const folder = join(temporaryDirectory(t), "deployment");
  const fingerprint = `SHA256:${"A".repeat(43)}=`;
  const config = await deployQuickstart(folder, { everythingPort: 1, recordsPort: 2, recordsFingerprint: fingerprint });
  await listenOnAnyPort(config);
  const lines = measured.map((witness, at) => witness.line(`w${at}`).split(" ").slice(0, 3).join(" "));
  const log = {
    origin: "gateway.example/0",
    witness_wait_ms: 1_000,
    witnesses: [...lines, `group g 2 ${NAMES.join(" ")}`, "quorum g", ""].join("\n"),
  };
  const urls = Object.fromEntries(answering.map(({ url }, at) => [`w${at}`, url]));
  await appendFile(config, `log: ${JSON.stringify(log)}\nwitness_urls: ${JSON.stringify(urls)}\n`);
  const gateway = await startGateway(config, developmentEnvironment("other-witness-keys-token-0123456789ab"));
  t.after(() => gateway.kill());
}

test("a quorum of other keys under the same names is none: the start is refused", async (t) => {
  const named = async (): Promise<TestWitness[]> =>
    await Promise.all(NAMES.map((name) => TestWitness.start(t, `witness.example/${name}`)));
  const [measured, others] = [await named(), await named()];
  const [first, ...rest] = measured;
  assert.ok(first !== undefined);
  for (const answering of [others, [first, ...others.slice(1)]])
    await assert.rejects(
      start(t, measured, answering),
      (thrown) => thrown instanceof StartRefused && /WITNESS_UNAVAILABLE/.test(thrown.output),
    );
  assert.ok(
    others.every(({ requests }) => requests.length > 0),
    "they were asked, and cosigned",
  );
  const again = await TestWitness.start(t, "witness.example/w0");
  await start(t, [again, ...rest], [again, ...rest]);
});
