/** Calls that a rule defers: one waits until what it needs is there, over a real server. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { clientOf, type Client } from "../gateway/client.ts";
import { deploy, type ToolEntry } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { writePolicySchema } from "../gateway/policy-schema.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const TOKEN = "deferred-token-deferred-token-deferred-tok";
const POLICIES = `
  @id("all") permit (principal, action, resource);
  @id("after-the-deal") @aarm_decision("defer") forbid (principal, action, resource == cMCP::Resource::"summary")
    unless { context.compartments.contains("mnpi") };
  @id("never") forbid (principal, action, resource == cMCP::Resource::"other");`;
const CONFIG = "catalog: {drift_policy: warn_only}\nenclave: {defer_seconds: 60}\n";

describe("a call that a rule defers", () => {
  const servers: RawServer[] = [];
  const arrived: string[] = [];
  let folder = "";
  let gateway: Gateway;
  let client: Client;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-deferred-"));
    const tools: ToolEntry[] = [];
    for (const tool of [{ name: "deal", complianceDomain: "mnpi" }, { name: "summary" }, { name: "other" }]) {
      const server = await startRawServer(tool.name, (socket, { id }) => {
        arrived.push(tool.name);
        socket.write(reply(callReply(id, `said by ${tool.name}`)));
      });
      servers.push(server);
      tools.push({ ...tool, url: server.url, integrity: "trusted" });
    }
    const path = await deploy(join(folder, "d"), { tools, policies: POLICIES, config: CONFIG });
    await writePolicySchema(join(folder, "d"));
    gateway = await startInProcess(path, developmentEnvironment(TOKEN));
    client = clientOf(gateway, TOKEN);
  });
  after(async () => {
    for (const server of servers) await server.close();
    await gateway?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test("waits for a call that brings what it needs, and both are sent, in that order", async () => {
    const call = async (name: string) => (await client.rpc("tools/call", { name, arguments: {} })).body;
    const waiting = call("summary");
    assert.equal((await call("other")).error?.data?.error_code, "POLICY_DENY", "others go on meanwhile");
    const first = receiptOf(await call("deal"));
    const second = receiptOf(await waiting);
    assert.deepEqual([first.decision, second.decision], ["allow", "allow"]);
    assert.deepEqual(arrived, ["deal", "summary"]);
  });
});
