/** Sensitivity labels of a deployment: in the catalog, in a caller's declaration, in rules, in the claim. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { clientOf, type Client } from "../gateway/client.ts";
import { deploy } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const TOKEN = "vocabulary-token-vocabulary-token-vocabul";
const POLICIES = `
  @id("all") permit (principal, action, resource);
  @id("by-label") forbid (principal, action, resource == cMCP::Resource::"send") when { context.session_max_sensitivity == "board_minutes" };
  @id("by-rank") forbid (principal, action, resource == cMCP::Resource::"post") when { context.sensitivity_level_int >= 4 };`;

describe("a deployment's own sensitivity labels", () => {
  const servers: RawServer[] = [];
  let folder: string;
  let gateway: Gateway;
  let client: Client;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-vocabulary-"));
    for (const name of ["minutes", "send", "post"])
      servers.push(await startRawServer(name, (socket, { id }) => socket.write(reply(callReply(id, "done")))));
    const tools = ["minutes", "send", "post"].map((name, index) => ({
      name,
      url: servers[index]?.url ?? "",
      ...(name === "minutes" ? { sensitivityLevel: "board_minutes" } : {}),
    }));
    const config = await deploy(join(folder, "d"), {
      tools,
      policies: POLICIES,
      config: "sensitivity:\n  vocabulary:\n    board_minutes: 4\n    memo: 1\n",
    });
    gateway = await startInProcess(config, developmentEnvironment(TOKEN));
    client = clientOf(gateway, TOKEN);
  });

  after(async () => {
    await gateway.stop();
    for (const server of servers) await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("rise, close the way out and stand in the claim by name and rank", async () => {
    assert.equal(
      (await client.call("send", "s", {}, { data_class: "memo" })).status,
      200,
      "a lower label of the deployment closes nothing",
    );
    const { session_id: session } = receiptOf((await client.call("minutes", "s")).body);
    for (const tool of ["send", "post"])
      assert.equal(
        (await client.call(tool, "s")).body.error?.data?.error_code,
        "SESSION_SENSITIVITY_POLICY_DENY",
        tool,
      );
    assert.equal(
      (await client.call("send", "s", {}, { data_class: "no_such_label" })).body.error?.data?.error_code,
      "MCP_INVALID_REQUEST",
    );
    const claim = await client.close(session);
    assert.deepEqual(
      [claim.trace.data_class, claim.gateway.call_summary.session_max_sensitivity],
      ["board_minutes", "board_minutes"],
    );
    assert.deepEqual(
      claim.trace.tool_transcript.entries.map((entry) => entry.data_class),
      ["memo", "board_minutes", "public", "public", "public"],
    );
  });
});
