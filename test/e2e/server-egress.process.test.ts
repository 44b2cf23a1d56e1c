/** What a stdio server may reach over the network: the hosts of its catalog entry, during a call whose policy permits it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createTlsServer, type Server } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import type { AuditEntry } from "@cmcp/audit";
import { Agent, type CallOutcome } from "../demo/agent.ts";
import { platformArguments } from "../gateway/appraisal.ts";
import { cmcp } from "../gateway/cli.ts";
import { clientOf } from "../gateway/client.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { deployStdioServer } from "../gateway/stdio-server.ts";
import { makeServerCertificate } from "../servers/certificate.ts";
import { OWN } from "../spawner/fixture.ts";

const TOOLS = [
  "reach",
  "reach_forbidden",
  "speak",
  "many",
  "keep",
  "kept",
  "later",
  "said_later",
  "wait",
  "sockets",
] as const;
const POLICIES = `
@id("call") permit (principal, action == cMCP::Action::"call_tool", resource);
@id("reach") permit (principal, action == cMCP::Action::"server_egress", resource)
  when { context.egress_host == "127.0.0.1" && context.egress_port > 0 };
@id("not-this-tool") forbid (principal, action == cMCP::Action::"server_egress", resource == cMCP::Resource::"reach_forbidden");
@id("not-after-secrets") forbid (principal, action == cMCP::Action::"server_egress", resource)
  when { context.session_sensitivity == "confidential" };
`;

function textOf(outcome: CallOutcome): string {
  assert.ok(outcome.allowed, JSON.stringify(outcome));
  return outcome.text;
}

describe("a stdio server with declared egress", { skip: OWN.skip, timeout: 180_000 * PATIENCE }, () => {
  const token = randomBytes(32).toString("base64url");
  const secret = randomBytes(16).toString("hex");
  let folder = "";
  let gateway: Gateway;
  let api: Server;
  let other: ReturnType<typeof createServer>;
  let connections = 0;
  let authority = "";
  let otherPort = 0;
  const agents: Agent[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-egress-"));
    await chmod(folder, 0o755);
    const { cert, key } = await makeServerCertificate();
    api = createTlsServer({ cert, key }, (request, response) => {
      response.end(request.url === "/large" ? "x".repeat(3_000_000) : `answer ${secret} ${request.url}`);
    });
    api.on("connection", () => (connections += 1));
    other = createServer((socket) => socket.end("reached"));
    api.listen(0, "127.0.0.1");
    other.listen(0, "127.0.0.1");
    await Promise.all([once(api, "listening"), once(other, "listening")]);
    const port = (api.address() as { port: number }).port;
    otherPort = (other.address() as { port: number }).port;
    authority = `127.0.0.1:${port}`;
    const deployed = await deployStdioServer(folder, "egress-stdio.mjs", {
      tools: TOOLS,
      policies: POLICIES,
      egress: [{ host: "127.0.0.1", port }],
      files: { "ca.pem": cert },
      sensitivity: { said_later: "confidential" },
      config: [
        "enclave:",
        "  stdio:",
        "    servers:",
        "      stdio:",
        `        environment: {NODE_EXTRA_CA_CERTS: ${join(folder, "server/ca.pem")}}`,
        "",
      ].join("\n"),
    });
    gateway = await startGateway(deployed.config, developmentEnvironment(token));
  });
  after(async () => {
    for (const agent of agents) await agent.close();
    await gateway?.stop();
    api?.close();
    other?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function agent(): Promise<Agent> {
    const connected = await Agent.connect(gateway.mcp, token, "sessions");
    agents.push(connected);
    return connected;
  }

  /** The entries of the call's session that belong to it, in order. */
  async function entriesOf({ receipt }: CallOutcome): Promise<readonly AuditEntry[]> {
    const { session_id: session, call_id: call } = receipt as { session_id: string; call_id: string };
    const { entries } = await clientOf(gateway, token).export(session);
    return entries.filter(({ call_id: id }) => id === call);
  }

  const told = ({ entry_type: type, policy_decision: decision, policy_rule_matched: rule, detail }: AuditEntry) => [
    type,
    decision,
    rule,
    type === "server_egress" ? `${detail?.["host"]}:${detail?.["port"]}` : "",
  ];

  /** A call whose every connection is refused, and what the record says of the first. */
  async function refused(name: string, args: Record<string, unknown>): Promise<unknown[]> {
    const before_ = connections;
    const outcome = await (await agent()).call(name, args);
    assert.match(textOf(outcome), /403|failed/);
    assert.equal(connections, before_, "nothing was dialled");
    const [first, last] = await entriesOf(outcome);
    assert.ok(first !== undefined && last !== undefined);
    assert.equal(last.detail?.["egress_refused"], 1);
    return told(first);
  }

  test("a declared host answers over TLS of the server's own, and the record has the connection before the call", async () => {
    const outcome = await (await agent()).call("reach", { url: `https://${authority}/one` });
    assert.equal(textOf(outcome), `200 answer ${secret} /one`);
    const entries = await entriesOf(outcome);
    assert.deepEqual(entries.map(told), [
      ["server_egress", "allow", "reach", authority],
      ["tool_call", "allow", "call", ""],
    ]);
    const { detail } = entries[1] ?? assert.fail();
    assert.equal(detail?.["egress_connections"], 1);
    assert.ok(Number(detail?.["egress_bytes_sent"]) > 300 && Number(detail?.["egress_bytes_received"]) > 300);
  });

  test("claim and record of such a session verify", async () => {
    const outcome = await (await agent()).call("reach", { url: `https://${authority}/verified` });
    const { session_id: session } = outcome.receipt as { session_id: string };
    const client = clientOf(gateway, token);
    const [claim, bundle] = [join(folder, "claim.json"), join(folder, "bundle.json")];
    await writeFile(claim, JSON.stringify(await client.close(session)));
    await writeFile(bundle, JSON.stringify(await client.export(session)));
    const platform = await platformArguments(gateway, { token, session, folder });
    const verified = await cmcp(["verify", claim, "--audit-bundle", bundle, ...platform]);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    const changed = JSON.parse(await readFile(bundle, "utf8")) as { entries: { entry_type: string }[] };
    const entries = changed.entries.filter(({ entry_type: type }) => type !== "server_egress");
    await writeFile(bundle, JSON.stringify({ ...changed, entries }));
    assert.notEqual((await cmcp(["verify", claim, "--audit-bundle", bundle, ...platform])).code, 0);
  });

  test("a long answer comes whole", async () => {
    const outcome = await (await agent()).call("reach", { url: `https://${authority}/large` });
    assert.equal(textOf(outcome), "200 3000000");
  });

  test("another host, another port and what policy forbids are refused and recorded", async () => {
    const host = authority.replace("127.0.0.1", "localhost");
    const outside = await refused("reach", { url: `https://${host}/` });
    assert.deepEqual(outside, ["server_egress", "deny", "not-declared", host]);
    const port = await refused("reach", { url: `https://127.0.0.1:${otherPort}/` });
    assert.deepEqual(port, ["server_egress", "deny", "not-declared", `127.0.0.1:${otherPort}`]);
    const forbidden = await refused("reach_forbidden", { url: `https://${authority}/` });
    assert.deepEqual(forbidden, ["server_egress", "deny", "not-this-tool", authority]);
  });

  test("a request in another form is answered and closed", async () => {
    const alice = await agent();
    const speak = async (text: string, repeat = 1): Promise<string> =>
      textOf(await alice.call("speak", { text, repeat })).split("\r\n")[0] ?? "";
    assert.match(await speak(`GET https://${authority}/ HTTP/1.1\r\n\r\n`), /405/);
    assert.match(await speak(`POST http://${authority}/ HTTP/1.1\r\n\r\n`), /405/);
    assert.match(await speak(`CONNECT ${authority} HTTP/1.0\r\n\r\n`), /400/);
    assert.match(await speak(`CONNECT user@${authority} HTTP/1.1\r\n\r\n`), /400/);
    assert.match(await speak("hello"), /400/);
    assert.match(await speak(`CONNECT ${authority} HTTP/1.1\r\nx: ${"y".repeat(100)}`, 200), /400|431/);
  });

  test("what follows the first CONNECT is the host's, and asks for nothing here", async () => {
    const alice = await agent();
    const text = `CONNECT ${authority} HTTP/1.1\r\n\r\nCONNECT localhost:1 HTTP/1.1\r\n\r\n`;
    const outcome = await alice.call("speak", { text });
    assert.equal(textOf(outcome).split("HTTP/1.1 200").length, 2, "one answer of the proxy's");
    assert.deepEqual((await entriesOf(outcome)).map(told), [
      ["server_egress", "allow", "reach", authority],
      ["tool_call", "allow", "call", ""],
    ]);
  });

  test("a call decides 64 connections, and no more", async () => {
    const outcome = await (await agent()).call("many", { authority: `127.0.0.1:${otherPort}`, count: 80 });
    assert.equal(textOf(outcome), "80", "each is answered 403");
    const entries = await entriesOf(outcome);
    assert.equal(entries.filter(({ entry_type: type }) => type === "server_egress").length, 64);
    assert.deepEqual(
      [entries.at(-1)?.detail?.["egress_refused"], entries.at(-1)?.detail?.["egress_unrecorded"]],
      [64, 16],
    );
  });

  test("a connection that one call may not make is made for none in the same process", async () => {
    const [first, second] = [await agent(), await agent()];
    assert.match(textOf(await first.call("keep", { authority })), /200/);
    const open = connections;
    const waiting = first.call("wait", { ms: 1_500 });
    const reached = await second.call("reach_forbidden", { url: `https://${authority}/` });
    assert.match(textOf(reached), /403|failed/);
    assert.equal(textOf(await waiting), "false");
    assert.equal(connections, open);
    assert.deepEqual((await entriesOf(await waiting)).map(told)[0], ["server_egress", "deny", "other-call", authority]);
  });

  test("no other way out is there", async () => {
    const outcome = await (await agent()).call("sockets", { port: otherPort });
    assert.equal(textOf(outcome), "udp EPERM, port error ECONNREFUSED");
  });

  test("a tunnel ends with its call, and a connection without a call is refused and counted", async () => {
    const alice = await agent();
    assert.match(textOf(await alice.call("keep", { authority })), /200/);
    assert.equal(textOf(await alice.call("kept", {})), "false");
    const before_ = connections;
    textOf(await alice.call("later", { authority }));
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const outcome = await alice.call("said_later", {});
    assert.match(textOf(outcome), /403/);
    assert.equal(connections, before_);
    assert.equal((await entriesOf(outcome)).at(-1)?.detail?.["egress_refused_before"], 1);
    // The session is labelled from here on.
    const labelled = await alice.call("reach", { url: `https://${authority}/` });
    assert.match(textOf(labelled), /failed/);
    assert.deepEqual((await entriesOf(labelled)).map(told)[0], [
      "server_egress",
      "deny",
      "not-after-secrets",
      authority,
    ]);
  });
});
