/** Flows of data: what a tool returned and a later call sends. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { clientOf, type Client } from "../gateway/client.ts";
import { deploy, type ToolEntry } from "../gateway/deployment.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { writePolicySchema } from "../gateway/policy-schema.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const TOKEN = "flows-token-flows-token-flows-token-flow";
const POLICIES = `
  @id("all") permit (principal, action, resource);
  @id("no-patients") forbid (principal, action, resource == cMCP::Resource::"send")
    when { context.flow_labels.contains("hipaa_phi") || !context.flows_complete };
  @id("no-copies") forbid (principal, action, resource == cMCP::Resource::"publish")
    when { context.flow_servers.contains("read_patient") && context.flow_coverage > 50 };`;
const RECORD =
  "Maria Gonzales was seen on the ward for a persistent cough and has been started on amoxicillin. Record KX-4482913.";
const TEXT = { type: "object", properties: { text: { type: "string" } }, additionalProperties: false };
const TOOLS: readonly Omit<ToolEntry, "url">[] = [
  { name: "read_patient", sensitivityLevel: "hipaa_phi", integrity: "trusted" },
  { name: "read_much", integrity: "trusted" },
  { name: "send", integrity: "trusted", inputSchema: TEXT },
  { name: "publish", integrity: "trusted", inputSchema: TEXT },
  { name: "echo", integrity: "trusted", inputSchema: TEXT },
];
const SAID: Readonly<Record<string, () => string>> = {
  read_patient: () => RECORD,
  read_much: () => randomBytes(700_000).toString("base64url"),
  echo: () => `You said: ${RECORD}`,
};

describe("a rule over flows", () => {
  const servers: RawServer[] = [];
  let folder: string;
  let gateway: Gateway;
  let client: Client;

  // A principal for each test: what one session of it saw makes the tables of its others incomplete.
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-flows-"));
    const tools: ToolEntry[] = [];
    for (const tool of TOOLS) {
      const said = SAID[tool.name] ?? (() => "sent");
      const server = await startRawServer(tool.name, (socket, { id }) => socket.write(reply(callReply(id, said()))));
      servers.push(server);
      tools.push({ ...tool, url: server.url });
    }
    const config = "catalog: {drift_policy: warn_only}\n";
    const path = await deploy(join(folder, "d"), { tools, policies: POLICIES, config });
    await writePolicySchema(join(folder, "d"));
    gateway = await startInProcess(path, developmentEnvironment(TOKEN));
    client = clientOf(gateway, TOKEN);
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
    await gateway.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function call(session: string, name: string, text?: string): Promise<RpcReply> {
    const args = text === undefined ? {} : { text };
    return (await client.call(name, session, args)).body;
  }
  const codeOf = (body: RpcReply): unknown => body.error?.data?.error_code ?? "ok";

  const FORMS: readonly (readonly [string, string])[] = [
    ["as it was read", RECORD],
    ["in part", `FYI: ${RECORD.slice(20, 70)}`],
    ["in base64", Buffer.from(RECORD).toString("base64")],
    ["in upper case with other spacing", RECORD.toUpperCase().replaceAll(" ", "\n  ")],
    ["by its record number alone", "See kx 4482913, or KX-4482913."],
  ];
  for (const [how, text] of FORMS)
    test(`stops a patient's record that is sent ${how}`, async () => {
      const session = `form-${how.replaceAll(" ", "-")}`;
      assert.equal(codeOf(await call(session, "read_patient")), "ok");
      assert.equal(codeOf(await call(session, "send", text)), "SESSION_SENSITIVITY_POLICY_DENY");
    });

  test("lets another text through after the record, and names flows in entry and claim", async () => {
    assert.equal(codeOf(await call("lunch", "read_patient")), "ok");
    assert.equal(codeOf(await call("lunch", "send", "Lunch at 12?")), "ok");
    const refused = await call("lunch", "send", RECORD);
    assert.equal(codeOf(refused), "SESSION_SENSITIVITY_POLICY_DENY");
    const { session_id: id } = receiptOf(refused);
    const { entries } = await client.export(id);
    const calls = entries.filter(({ entry_type: type }) => type === "tool_call");
    assert.deepEqual(
      calls.map(({ tool_name: tool, detail }) => [tool, detail?.["flow_edges"]]),
      [
        ["read_patient", undefined],
        ["send", undefined],
        ["send", 2],
      ],
    );
    assert.match(
      String(calls[2]?.detail?.["flow_from"]),
      /^read_patient\/read_patient:exact:100,read_patient\/read_patient:fingerprint:(?:[89][0-9]|100)$/,
    );
    const { edges_represent: meaning } = (await client.close(id)).gateway.call_summary.call_graph_summary;
    assert.match(meaning ?? "", /flow_from/);
  });

  test("an allowed call has its flows in its entry", async () => {
    await call("allowed", "read_patient");
    const { session_id: id } = receiptOf(await call("allowed", "echo", RECORD));
    const { entries } = await client.export(id);
    assert.equal(entries.findLast(({ entry_type: type }) => type === "tool_call")?.detail?.["flow_edges"], 2);
  });

  test("what a tool repeats of its own arguments does not come from it", async () => {
    await call("echoes", "echo", RECORD);
    await call("echoes", "read_patient");
    const { session_id: id } = receiptOf(await call("echoes", "send", RECORD));
    const { entries } = await client.export(id);
    assert.doesNotMatch(String(entries.at(-1)?.detail?.["flow_from"]), /echo/);
  });

  test("coverage tells a copy from a text that quotes a little", async () => {
    await call("quotes", "read_patient");
    const about = "The visitors' car park stays closed all week while the builders work on the new entrance hall. ";
    assert.equal(codeOf(await call("quotes", "publish", `${about}${RECORD.slice(0, 30)}`)), "ok");
    assert.equal(codeOf(await call("quotes", "publish", RECORD)), "SESSION_SENSITIVITY_POLICY_DENY");
  });

  test("a session that was handed more than its table holds fails closed", async () => {
    assert.equal(codeOf(await call("much", "read_patient")), "ok");
    assert.equal(codeOf(await call("much", "send", "Lunch at 12?")), "ok");
    assert.equal(codeOf(await call("much", "read_much")), "ok");
    assert.equal(codeOf(await call("much", "send", "Lunch at 12?")), "SESSION_SENSITIVITY_POLICY_DENY");
  });

  test("encodings that are not all taken off fail closed, for that call alone", async () => {
    let text = RECORD;
    for (let depth = 0; depth < 10; depth += 1) text = Buffer.from(text).toString("base64");
    await call("deep", "read_patient");
    assert.equal(codeOf(await call("deep", "send", text)), "SESSION_SENSITIVITY_POLICY_DENY");
    assert.equal(codeOf(await call("deep", "send", "Lunch at 12?")), "ok");
  });

  test("data that only another session of the principal was handed fails closed", async () => {
    await call("reader", "read_patient");
    assert.equal(codeOf(await call("writer", "send", "Lunch at 12?")), "SESSION_SENSITIVITY_POLICY_DENY");
  });

  test("the tool stays in lists, whatever the session has seen", async () => {
    await call("lists", "read_patient");
    const { body } = await client.rpc("tools/list", {});
    assert.ok(JSON.stringify(body.result).includes('"send"'));
  });
});
