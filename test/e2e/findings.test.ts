/** What detectors find, as rules see it: a secret stays in, a result is withheld or redacted, work goes through. */
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

const TOKEN = "findings-token-findings-token-findings";
const CARD = "4111 1111 1111 1111";
/** Made of parts, so that no scanner of this repository takes it for a secret. */
const SECRET = ["gh", "p_", "x7Kd93mQ0aZv5LwT1uYb8RnE4cJs6HfG2pVi"].join("");
const QUERY = { type: "object", properties: { q: { type: "string" } } };
const RECORD = {
  type: "object",
  properties: { name: { type: "string" }, card: { type: "string" } },
  required: ["name", "card"],
  additionalProperties: false,
};
const POLICIES = `
  @id("calls") permit (principal, action == cMCP::Action::"call_tool", resource);
  @id("secrets-stay") forbid (principal, action == cMCP::Action::"call_tool", resource)
    when { context.argument_findings.secrets > 0 || !context.argument_findings.complete };
  @id("deliver") permit (principal, action == cMCP::Action::"deliver_result", resource == cMCP::Resource::"lookup");
  @id("no-cards") forbid (principal, action == cMCP::Action::"deliver_result", resource == cMCP::Resource::"lookup")
    when { context.result_findings.personal_data > 0 || context.result_bytes > 100000 };
  @id("cut") @redact_fields("card") @keep_fields("name")
    permit (principal, action == cMCP::Action::"deliver_result", resource == cMCP::Resource::"record");`;

const servers: RawServer[] = [];
let lookedUp = "fine";
let folder = "";
let gateway: Gateway;
let client: Client;

async function entryOf(body: Parameters<typeof receiptOf>[0]) {
  const { call_id: id, session_id: session } = receiptOf(body);
  const { entries } = await client.export(session);
  return entries.find(({ call_id: call }) => call === id);
}

describe("what detectors find, as rules see it", () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-findings-"));
    const lookup = await startRawServer("lookup", (socket, { id }) => socket.write(reply(callReply(id, lookedUp))));
    const record = await startRawServer("record", (socket, { id }) => {
      const structuredContent = { name: "Anna", card: CARD };
      const result = { content: [{ type: "text", text: JSON.stringify(structuredContent) }], structuredContent };
      socket.write(reply(JSON.stringify({ jsonrpc: "2.0", id, result })));
    });
    servers.push(lookup, record);
    const config = await deploy(join(folder, "d"), {
      tools: [
        { name: "lookup", url: lookup.url, inputSchema: QUERY },
        { name: "record", url: record.url, outputSchema: RECORD },
      ],
      policies: POLICIES,
      config: "catalog: {drift_policy: warn_only}\nenclave: {finding_labels: {personal_data: pii}}\n",
    });
    gateway = await startInProcess(config, developmentEnvironment(TOKEN));
    client = clientOf(gateway, TOKEN);
  });
  after(async () => {
    await gateway?.stop();
    for (const server of servers) await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("work goes through, and its entry counts nothing", async () => {
    lookedUp = "fine";
    const { body } = await client.call("lookup", "work");
    assert.match(JSON.stringify(body.result), /fine/);
    const entry = await entryOf(body);
    assert.equal(entry?.policy_decision, "allow");
    assert.deepEqual(
      Object.keys(entry?.detail ?? {}).filter((name) => name.includes("findings_") && !name.endsWith("_score")),
      [],
    );
  });

  test("a secret in the arguments stays in, encoded or not, and is in no record", async () => {
    for (const [label, q] of [
      ["plain", SECRET],
      ["encoded", btoa(`please keep ${SECRET}`)],
    ] as const) {
      const { body } = await client.call("lookup", label, { q });
      assert.equal(body.error?.data?.error_code, "POLICY_DENY", label);
      const entry = await entryOf(body);
      assert.deepEqual([entry?.policy_rule_matched, entry?.detail?.["argument_findings_secrets"]], ["secrets-stay", 1]);
      assert.ok(!JSON.stringify(entry).includes(SECRET));
    }
  });

  test("a result with a card number is withheld; it was sent, and its label counts", async () => {
    lookedUp = `paid with ${CARD}`;
    const { body, status } = await client.call("lookup", "card");
    assert.deepEqual([body.error?.data?.error_code, status], ["RESULT_WITHHELD", 403]);
    assert.ok(!JSON.stringify(body).includes(CARD));
    const entry = await entryOf(body);
    assert.deepEqual(
      [
        entry?.policy_decision,
        entry?.policy_rule_matched,
        entry?.detail?.["outcome"],
        entry?.session_sensitivity_after,
      ],
      ["deny", "no-cards", "withheld", "pii"],
    );
    assert.equal(entry?.detail?.["result_findings_personal_data"], 1);
  });

  test("a result is redacted by the rule that delivers it", async () => {
    const { body } = await client.call("record", "redacted");
    const text = JSON.stringify(body.result);
    assert.match(text, /Anna/);
    assert.ok(!text.includes(CARD));
    assert.equal((await entryOf(body))?.policy_decision, "redact");
  });

  test("a hostile text of 1 MB is refused", async () => {
    const { body } = await client.call("lookup", "long", { q: "a".repeat(1_000_000) });
    assert.equal(body.error?.data?.error_code, "POLICY_DENY");
  });
});
