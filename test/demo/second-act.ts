/** One gateway in front of three published servers, driven by clients this project did not write. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { auditBundleSchema } from "@cmcp/audit/schema";
import { cmcp } from "../gateway/cli.ts";
import { startConnect } from "../gateway/connected.ts";
import { startGateway } from "../gateway/gateway.ts";
import { deployThreeServers, type ThreeServers } from "../gateway/three-servers.ts";
import { Agent } from "./agent.ts";
import { expectCall, show } from "./calls.ts";
import { inspect } from "./inspect.ts";
import { Inspector, overHttp } from "./inspector.ts";
import { quote, say, step } from "./screen.ts";

/** @returns the session the calls were made in */
async function callAll(agent: Agent, { scratch }: ThreeServers): Promise<string> {
  say(`the official SDK client in MCP ${agent.protocolVersion}:`);
  const echo = await agent.call("echo", { message: "hello again" });
  show("echo", echo);
  expectCall(echo.allowed, "echo is allowed");
  const note = await agent.call("read_text_file", { path: `${scratch}-note.txt` });
  show("read_text_file, what the Inspector wrote", note);
  expectCall(note.allowed && note.text === "kept", "the file is the principal's own");
  const graph = await agent.call("read_graph", {});
  show("read_graph, what the Inspector made", graph);
  expectCall(graph.allowed && graph.text.includes("known to alice"), "the entities are the principal's own");
  const env = await agent.call("get-env", {});
  show("get-env", env);
  expectCall(!env.allowed && env.code === "POLICY_DENY", "get-env is denied");
  return (echo.receipt as { session_id: string }).session_id;
}

/** Tells both principals apart by what their servers remember. Without confinement they share the machine's `/tmp`. */
async function compare(bob: Agent, confined: boolean): Promise<void> {
  const graph = await bob.call("read_graph", {});
  show("read_graph, as bob", graph);
  expectCall(graph.allowed, "read_graph is allowed to bob");
  if (!confined) say("without confinement both principals' servers see one /tmp");
  else
    expectCall(
      !JSON.stringify(graph).includes("known to alice"),
      "bob's server-memory does not know what alice's knows",
    );
}

/**
 * Takes four steps, of which `first` is the first.
 * @param everythingPort where server-everything listens
 */
export async function secondAct(first: number, everythingPort: number, out: string): Promise<void> {
  step(first, "Three published servers behind one gateway, two of them over stdio");
  const deployment = await deployThreeServers(join(out, "demo-several"), everythingPort);
  const gateway = await startGateway(deployment.config, { CMCP_DEV_MODE: "1" });
  const stop: (() => Promise<unknown>)[] = [() => deployment.clean(), () => gateway.stop()];
  try {
    const connected = await startConnect(gateway.url);
    stop.push(() => connected.stop());
    say(
      "server-everything over HTTP; server-filesystem and server-memory are started by the gateway from files it measures",
    );
    const alice = deployment.tokens.alice;

    step(first + 1, "The official MCP Inspector calls tools of all three, as alice, through cmcp connect");
    await inspect(new Inspector(overHttp(connected.mcp, alice), join(out, "demo-several/inspector")), deployment);

    step(first + 2, "Alice's other agents see what hers is; bob's do not");
    const stateless = await Agent.connect(connected.mcp, alice, "stateless");
    await callAll(stateless, deployment);
    await stateless.close();
    const agent = await Agent.connect(connected.mcp, alice, "sessions");
    stop.push(() => agent.close());
    const session = await callAll(agent, deployment);
    const headers = { authorization: `Bearer ${alice}` };
    const claim = await (await fetch(`${connected.url}/sessions/${session}/close`, { method: "POST", headers })).text();
    const bundle = await (await fetch(`${connected.url}/audit/export?session_id=${session}`, { headers })).text();
    const classes = new Map(
      auditBundleSchema
        .parse(JSON.parse(bundle))
        .entries.filter((entry) => entry.server_identity !== null)
        .map((entry) => [entry.server_identity, entry.evidence_class]),
    );
    const confined = classes.get("stdio:server-memory") === "spawn-measured";
    const bob = await Agent.connect(connected.mcp, deployment.tokens.bob, "sessions");
    stop.push(() => bob.close());
    await compare(bob, confined);

    step(first + 3, "The claim of alice's session, and what it rests on");
    for (const [server, evidence] of classes) say(`${evidence.padEnd(16)}  ${server}`);
    say(
      confined
        ? "this machine confines stdio servers: the approved bytes ran, shut in"
        : "this machine cannot confine stdio servers: development mode ran them unconfined",
    );
    expectCall(
      classes.size === 3 &&
        classes.get("stdio:server-filesystem") === (confined ? "spawn-measured" : "spawn-unmeasured"),
      "all three servers are in the record",
    );
    await writeFile(join(out, "several-claim.json"), claim);
    await writeFile(join(out, "several-audit-bundle.json"), bundle);
    const verified = await cmcp([
      "verify",
      join(out, "several-claim.json"),
      "--audit-bundle",
      join(out, "several-audit-bundle.json"),
      "--allow-software-only",
      "--require-sealed",
    ]);
    quote(verified.stdout);
    expectCall(verified.code === 0, `the claim verifies (exit code ${verified.code})`);
  } finally {
    for (const undo of stop.toReversed()) await undo();
  }
}
