/** Published stdio servers behind the gateway, driven by the official client. */
import assert from "node:assert/strict";
import { appendFile, chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { definitionHash } from "@cmcp/catalog";
import { Agent, type CallOutcome } from "../demo/agent.ts";
import { clientOf } from "../gateway/client.ts";
import { StartRefused, startGateway, type Gateway } from "../gateway/gateway.ts";
import { IN_MACHINE, PATIENCE } from "../gateway/launcher.ts";
import { eventually } from "../gateway/principals.ts";
import { deployThreeServers, type ThreeServers } from "../gateway/three-servers.ts";
import { startEverythingServer, type ServerProcess } from "../servers/everything-server.ts";
import { OWN, processesWith } from "../spawner/fixture.ts";

const DEVELOPMENT = { CMCP_DEV_MODE: "1" };
const CONFINED = IN_MACHINE ? "attested" : "spawn-measured";
const EVIDENCE = OWN.skip === false ? CONFINED : "spawn-unmeasured";
const entity = (name: string) => ({ entities: [{ name, entityType: "deal", observations: ["noted"] }] });

function textOf(outcome: CallOutcome): string {
  assert.ok(outcome.allowed, JSON.stringify(outcome));
  return outcome.text;
}

describe("two stdio servers and one over HTTP behind one gateway", { timeout: 180_000 * PATIENCE }, () => {
  let everything: ServerProcess;
  let folder = "";
  let deployment: ThreeServers;
  let gateway: Gateway;
  const agents: Agent[] = [];
  const agentOf = async (principal: "alice" | "bob", era: "sessions" | "stateless"): Promise<Agent> => {
    const agent = await Agent.connect(gateway.mcp, deployment.tokens[principal], era);
    agents.push(agent);
    return agent;
  };
  const running = (): number[] => Object.values(deployment.trees).flatMap((tree) => processesWith(tree));

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-stdio-"));
    await chmod(folder, 0o755);
    everything = await startEverythingServer();
    deployment = await deployThreeServers(join(folder, "deployment"), everything.port);
    gateway = await startGateway(deployment.config, DEVELOPMENT);
  });
  after(async () => {
    for (const agent of agents) await agent.close();
    await gateway?.stop();
    await deployment?.clean();
    await everything?.close();
    await rm(folder, { recursive: true, force: true });
  });

  for (const era of ["sessions", "stateless"] as const) {
    test(`tools of all three answer in the era of ${era}, and the record says what is known of each server`, async () => {
      const alice = await agentOf("alice", era);
      const echo = await alice.call("echo", { message: "to all" });
      assert.match(textOf(echo), /to all/);
      const path = `${deployment.scratch}-${era}.txt`;
      textOf(await alice.call("write_file", { path, content: "kept" }));
      assert.equal(textOf(await alice.call("read_text_file", { path })), "kept");
      textOf(await alice.call("create_entities", entity(`of ${era}`)));
      assert.match(textOf(await alice.call("read_graph", {})), new RegExp(`of ${era}`));
      const outside = await alice.call("write_file", { path: "/tmp/elsewhere.txt", content: "no" });
      assert.equal(outside.allowed ? "" : outside.code, "POLICY_DENY");

      const session = (echo.receipt as { session_id: string }).session_id;
      const { entries } = await clientOf(gateway, deployment.tokens.alice).export(session);
      const calls = entries.flatMap(
        ({ entry_type: type, tool_name: tool, server_identity: server, evidence_class: evidence }) =>
          type === "tool_call" ? [[tool, server, evidence]] : [],
      );
      const files = ["stdio:server-filesystem", EVIDENCE];
      const memory = ["stdio:server-memory", EVIDENCE];
      const { detail } = entries.find(({ tool_name: tool }) => tool === "read_graph") ?? {};
      for (const member of ["server_tree_digest", "server_tools_hash"])
        assert.match(String(detail?.[member]), IN_MACHINE ? /^sha256:[0-9a-f]{64}$/ : /^undefined$/);
      assert.deepEqual(calls.slice(-6), [
        ["echo", `http://127.0.0.1:${everything.port}/mcp`, "hash-only"],
        ["write_file", ...files],
        ["read_text_file", ...files],
        ["create_entities", ...memory],
        ["read_graph", ...memory],
        ["write_file", ...files],
      ]);
    });
  }

  test("what one principal's server remembers, another's does not", { skip: OWN.skip }, async () => {
    const [alice, bob] = [await agentOf("alice", "sessions"), await agentOf("bob", "sessions")];
    textOf(await alice.call("create_entities", entity("merger")));
    textOf(await bob.call("create_entities", entity("picnic")));
    const [hers, his] = [textOf(await alice.call("read_graph", {})), textOf(await bob.call("read_graph", {}))];
    assert.deepEqual(
      [hers.includes("merger"), hers.includes("picnic"), his.includes("merger"), his.includes("picnic")],
      [true, false, false, true],
    );
    textOf(await alice.call("write_file", { path: `${deployment.scratch}-private.txt`, content: "hers" }));
    assert.doesNotMatch(
      textOf(await bob.call("read_text_file", { path: `${deployment.scratch}-private.txt` })),
      /hers/,
    );
  });

  test("no server outlives the gateway", async () => {
    assert.notDeepEqual(running(), []);
    await gateway.stop();
    await eventually("every server has ended", () => running().length === 0);
  });

  test("a tool that is not as approved refuses the start, and only where drift is to be refused", async () => {
    const path = join(dirname(deployment.config), "catalog.json");
    const catalog = await readFile(path, "utf8");
    const entries = JSON.parse(catalog) as { tool_name: string; approved_definition: JsonObject }[];
    const changed = entries.map((entry) => {
      if (entry.tool_name !== "read_graph") return entry;
      const definition = { ...entry.approved_definition, description: "Reads another graph." };
      return { ...entry, approved_definition: definition, definition_hash: definitionHash(definition) };
    });
    await writeFile(path, JSON.stringify(changed));
    const start = async (): Promise<void> => void (gateway = await startGateway(deployment.config, DEVELOPMENT));
    await assert.rejects(
      start(),
      (thrown) =>
        thrown instanceof StartRefused &&
        /CATALOG_DRIFT_DETECTED.*server-memory: tool read_graph is changed/.test(thrown.output),
    );
    assert.deepEqual(running(), []);
    const config = await readFile(deployment.config, "utf8");
    await writeFile(deployment.config, `${config}\ncatalog: {drift_policy: warn_only}\n`);
    await start();
    await gateway.stop();
    await writeFile(deployment.config, config);
    await writeFile(path, catalog);
  });

  test("a changed byte in the files of a server refuses the start", async () => {
    await appendFile(
      join(deployment.trees["server-memory"], "0/node_modules/@modelcontextprotocol/server-memory/dist/index.js"),
      "\n",
    );
    const start = async (): Promise<void> => void (gateway = await startGateway(deployment.config, DEVELOPMENT));
    await assert.rejects(
      start(),
      (thrown) => thrown instanceof StartRefused && thrown.output.includes("SPAWN_DIGEST_MISMATCH"),
    );
    assert.deepEqual(running(), []);
  });
});
