/** A gateway that was built where there is no C compiler: its stdio servers cannot be confined. */
import assert from "node:assert/strict";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Agent } from "../demo/agent.ts";
import { clientOf } from "../gateway/client.ts";
import { CLI, startGateway } from "../gateway/gateway.ts";
import { deployThreeServers, type ThreeServers } from "../gateway/three-servers.ts";
import { startEverythingServer, type ServerProcess } from "../servers/everything-server.ts";
import { processesWith } from "../spawner/fixture.ts";

describe("stdio servers without their spawner", { timeout: 120_000 }, () => {
  let everything: ServerProcess;
  let folder = "";
  let entry = "";
  let deployment: ThreeServers;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-no-spawner-"));
    await cp(dirname(CLI), join(folder, "dist"), { recursive: true, filter: (path) => !path.endsWith("/cmcp-spawn") });
    entry = join(folder, "dist/cmcp.mjs");
    everything = await startEverythingServer();
    deployment = await deployThreeServers(join(folder, "deployment"), everything.port);
  });
  after(async () => {
    await everything?.close();
    await deployment?.clean();
    await rm(folder, { recursive: true, force: true });
  });

  test("run in development, where log and record say that nothing confines them, and end with the gateway", async () => {
    const gateway = await startGateway(deployment.config, { CMCP_DEV_MODE: "1" }, { entry });
    try {
      assert.match(gateway.log(), /stdio servers run unconfined/);
      const agent = await Agent.connect(gateway.mcp, deployment.tokens.alice, "sessions");
      const graph = await agent.call("read_graph", {});
      assert.ok(graph.allowed, JSON.stringify(graph));
      const session = (graph.receipt as { session_id: string }).session_id;
      const { entries } = await clientOf(gateway, deployment.tokens.alice).export(session);
      assert.deepEqual(
        entries.filter(({ tool_name: tool }) => tool === "read_graph").map((call) => call.evidence_class),
        ["spawn-unmeasured"],
      );
      assert.notDeepEqual(processesWith(deployment.trees["server-memory"]), []);
      await agent.close();
    } finally {
      await gateway.stop();
    }
    assert.deepEqual(processesWith(deployment.trees["server-memory"]), []);
  });
});
