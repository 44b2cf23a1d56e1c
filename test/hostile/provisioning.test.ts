/** The host says who may call now; who there is, and what anybody may do, is measured. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { buildProvision, type Provision } from "@cmcp/provision/message";
import { deployQuickstart } from "../gateway/deployment.ts";
import { startObservedHost, type ObservedHost } from "./observed-host.ts";
import { entriesIn, readStored, recordsIn } from "./stored-records.ts";

const TOKEN = "provisioning-test-token-0123456789abcdef";
const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };

describe("a host that provisions a serving enclave", () => {
  let folder: string;
  let host: ObservedHost;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-provisioning-"));
    const config = await deployQuickstart(join(folder, "deployment"), {
      everythingPort: 1,
      recordsPort: 1,
      recordsFingerprint: `SHA256:${Buffer.alloc(32).toString("base64")}`,
    });
    await appendFile(config, "enclave: {principals: [{id: default}, {id: auditor}]}\n");
    host = await startObservedHost(config, { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: TOKEN });
    await host.startEnclave();
    // What is refused is recorded, too, and with it a session begins.
    await host.request("POST", "/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "none" } });
  });
  after(async () => {
    await host.close();
    await rm(folder, { recursive: true, force: true });
  });

  const provision = async (message: Provision | Uint8Array): Promise<void> => {
    const exchange = await host.pool.open({ t: "provision" });
    await exchange.write(message instanceof Uint8Array ? message : buildProvision(message));
    await exchange.end();
    await exchange.head;
    for await (const _ of exchange.body); // an acknowledgement has no body
  };
  const serves = async (): Promise<boolean> => (await host.request("POST", "/mcp", list)).status === 200;

  test("with a principal that is not measured is refused as a whole", async () => {
    const tokens = [
      { principal: "default", sha256: hash("sha256", "another") },
      { principal: "mallory", sha256: hash("sha256", "mine") },
    ];
    await assert.rejects(
      provision({ v: 1, tokens }),
      (thrown) => thrown instanceof CmcpError && thrown.code === "PRINCIPAL_NOT_MEASURED",
    );
    assert.equal(await serves(), true, "the tokens before are in force, those beside the unknown principal are not");
  });

  test("with a message that is none changes nothing", async () => {
    for (const bytes of [
      new Uint8Array(),
      Buffer.from("{}"),
      Buffer.from('{"v":1,"tokens":[],"workflows":["admin"]}'),
    ]) {
      await assert.rejects(
        provision(bytes),
        (thrown) => thrown instanceof CmcpError && thrown.code === "CONFIG_INVALID",
      );
    }
    assert.equal(await serves(), true);
  });

  test("replaces the tokens before, and can leave none", async () => {
    await provision({ v: 1, tokens: [] });
    assert.equal((await host.request("POST", "/mcp", list)).status, 401);
    await provision({ v: 1, tokens: [{ principal: "default", sha256: hash("sha256", TOKEN) }] });
    assert.equal(await serves(), true);
  });

  test("binds a token once, and leaves a record of each message it took and of none it refused", async () => {
    const refused = provision({ v: 1, tokens: [{ principal: "auditor", sha256: hash("sha256", TOKEN) }] });
    await assert.rejects(refused, (thrown) => thrown instanceof CmcpError && thrown.code === "TOKEN_REBOUND");
    assert.equal(await serves(), true);
    const facts = (await recordsIn(host.store, { kind: "provision" })).map((stored) => {
      const record = readStored(stored);
      assert.ok(record.kind === "provision");
      return record.body;
    });
    const named = Buffer.from("cmcp.localhost/0\n");
    const committed = hash("sha256", Buffer.concat([named, Buffer.from(hash("sha256", TOKEN), "hex")]));
    const own = [{ principal: "default", tokens: [committed] }];
    assert.deepEqual(
      facts.map(({ sequence, principals }) => [sequence, principals]),
      [
        [1, own],
        [2, []],
        [3, own],
      ],
    );
    const stored = (await recordsIn(host.store)).map(({ header, body }) => Buffer.concat([header, body]).toString());
    assert.ok(!stored.some((text) => text.includes(TOKEN) || text.includes(hash("sha256", TOKEN))));
    const entries = await entriesIn(host.store);
    const noted = entries.filter(({ detail }) => detail?.["provision_sequence"] !== undefined);
    assert.deepEqual(
      noted.map(({ entry_type: type, detail }) => [type, detail?.["provision_sequence"]]),
      [
        ["session_start", 1],
        ["provision", 2],
        ["provision", 3],
      ],
    );
  });
});
