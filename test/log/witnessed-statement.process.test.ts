/** A statement counts only once witnesses have cosigned the log with it: until then the tokens before are in force. */
import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { test } from "node:test";
import { newProvisioner, shownInstance, statementFor, tokensOf } from "../gateway/provisioner.ts";
import { startObservedHost, type ObservedHost } from "../hostile/observed-host.ts";
import { hasGo, NO_GO } from "./oracle.ts";
import { deployWitnessed } from "./witnessed-deployment.ts";

const [FIRST, SECOND] = ["first-token-0123456789abcdef0123456789", "second-token-0123456789abcdef012345678"];
const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list" };

async function post(host: ObservedHost, statement: Uint8Array): Promise<number> {
  const exchange = await host.pool.open({ t: "request", method: "POST", path: "/statements", headers: {} });
  await exchange.write(statement);
  await exchange.end();
  const { status } = await exchange.head;
  for await (const _ of exchange.body);
  return status;
}

test("a statement that is stored and not cosigned is not in force", { skip: hasGo() ? false : NO_GO }, async (t) => {
  const { config, witnesses } = await deployWitnessed(t, 2_000);
  const provisioner = newProvisioner();
  await appendFile(config, `enclave: {provisioning_keys: [${provisioner.publicKey}]}\n`);
  const host = await startObservedHost(config, { CMCP_DEV_MODE: "1" });
  t.after(() => host.close());
  await host.startEnclave();
  const instance = shownInstance((await host.request("GET", "/attestation")).body);
  const give = async (token: string, sequence: number): Promise<number> =>
    await post(host, statementFor(instance, provisioner, tokensOf(["default", token]), { sequence }));
  const status = async (token: string): Promise<number> =>
    (await host.request("POST", "/mcp", LIST, { authorization: `Bearer ${token}` })).status;
  assert.equal(await give(FIRST, 1), 200);

  const [paused, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isStored = false;
  host.observe(async (at) => {
    isStored ||= at === "provision stored";
    if (at !== "cosigning asked for" || !isStored) return;
    paused.resolve();
    await goOn.promise;
  });
  const giving = give(SECOND, 2);
  await paused.promise;
  assert.deepEqual([await status(FIRST), await status(SECOND)], [200, 401]);
  goOn.resolve();
  assert.equal(await giving, 200);
  assert.deepEqual([await status(FIRST), await status(SECOND)], [401, 200]);

  host.observe(() => undefined);
  for (const witness of witnesses) await witness.close();
  assert.equal(await give(FIRST, 3), 503);
  assert.deepEqual([await status(FIRST), await status(SECOND)], [401, 200], "without a quorum nothing changes");
});
