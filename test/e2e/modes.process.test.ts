/** `advisory` and `silent`: what policy refuses goes out and stands in the record; what is not policy is refused as ever. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { platformArguments } from "../gateway/appraisal.ts";
import { cmcp } from "../gateway/cli.ts";
import { clientOf, logged, type Client } from "../gateway/client.ts";
import { deploy } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { IN_MACHINE } from "../gateway/launcher.ts";
import { freePort } from "../servers/everything-server.ts";
import { reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const TOKEN = "modes-token-modes-token-modes-token-modes";
const OPEN_TOOLS = ["open", "closed", "asks", "waits", "unruled", "private"] as const;

const policies = (mode: string): string => `
  @id("open") permit (principal, action, resource == cMCP::Resource::"open");
  @id("by-mode") forbid (principal, action, resource == cMCP::Resource::"closed") when { context.enforcement_mode == "${mode}" };
  @id("ask") @aarm_decision("step_up") forbid (principal, action, resource == cMCP::Resource::"asks");
  @id("wait") @aarm_decision("defer") forbid (principal, action, resource == cMCP::Resource::"waits");
  @id("in-part") @redact_fields("ssn") @keep_fields("name") permit (principal, action, resource == cMCP::Resource::"private");
  @id("not-now") forbid (principal, action, resource == cMCP::Resource::"private");
  @id("any") permit (principal, action, resource == cMCP::Resource::"down");
  @id("none") forbid (principal, action, resource == cMCP::Resource::"down");`;

const PERSON = { type: "object", properties: { name: { type: "string" }, ssn: { type: "string" } } };
const RESULT = {
  content: [{ type: "text", text: '{"name":"Ada","ssn":"078-05-1120"}' }],
  structuredContent: { name: "Ada", ssn: "078-05-1120" },
};

for (const mode of ["advisory", "silent"] as const) {
  describe(`enforcement mode ${mode}`, () => {
    const servers: RawServer[] = [];
    let folder: string;
    let gateway: Gateway;
    let client: Client;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "cmcp-modes-"));
      for (const name of OPEN_TOOLS)
        servers.push(
          await startRawServer(name, (socket, { id }) =>
            socket.write(reply(JSON.stringify({ jsonrpc: "2.0", id, result: RESULT }))),
          ),
        );
      const tools = [
        ...OPEN_TOOLS.map((name, index) => ({
          name,
          url: servers[index]?.url ?? "",
          ...(name === "private" ? { outputSchema: PERSON } : {}),
        })),
        { name: "down", url: `http://127.0.0.1:${await freePort()}/mcp` },
      ];
      const strict = {
        name: "strict",
        url: servers[0]?.url ?? "",
        inputSchema: {
          type: "object",
          properties: { n: { type: "integer" } },
          required: ["n"],
          additionalProperties: false,
        },
      };
      const config = await deploy(join(folder, "d"), {
        tools: [...tools, strict],
        policies: policies(mode),
        config: `attestation:\n  enforcement_mode: ${mode}\ncatalog:\n  drift_policy: warn_only\n`,
      });
      gateway = await startGateway(config, developmentEnvironment(TOKEN));
      client = clientOf(gateway, TOKEN);
    });

    after(async () => {
      await gateway.stop();
      for (const server of servers) await server.close();
      await rm(folder, { recursive: true, force: true });
    });

    const entryOf = async (session: string, tool: string) =>
      (await client.export(session)).entries.find(
        (entry) => entry.entry_type === "tool_call" && entry.tool_name === tool,
      );

    test("every kind of refusal by policy goes out, and entry, receipt and claim call it advisory_deny", async () => {
      let session = "";
      for (const [tool, would, rule, code] of [
        ["closed", "deny", "by-mode", "POLICY_DENY"],
        ["asks", "step_up", "ask", "POLICY_DENY"],
        ["waits", "defer", "wait", "POLICY_DENY"],
        ["unruled", "deny", "default-deny", "POLICY_DENY"],
      ] as const) {
        const answered = await client.call(tool, "all");
        assert.equal(answered.status, 200, tool);
        assert.match(JSON.stringify(answered.body.result), /Ada/);
        const receipt = receiptOf(answered.body);
        assert.equal(receipt.decision, "advisory_deny");
        session = receipt.session_id;
        const entry = await entryOf(session, tool);
        assert.deepEqual([entry?.policy_decision, entry?.policy_rule_matched], ["advisory_deny", rule]);
        assert.deepEqual(
          [entry?.detail?.["advisory_decision"], entry?.detail?.["advisory_rule"], entry?.detail?.["advisory_code"]],
          [would, rule, code],
        );
      }
      assert.equal(receiptOf((await client.call("open", "all")).body).decision, "allow");
      const claim = await client.close(session);
      assert.equal(claim.trace.policy.enforcement_mode, mode);
      assert.deepEqual(
        claim.trace.tool_transcript.entries.map(({ decision }) => decision),
        ["advisory_deny", "advisory_deny", "advisory_deny", "advisory_deny", "allow"],
      );
      const { tool_calls_total, tool_calls_allowed, tool_calls_denied } = claim.gateway.call_summary;
      assert.deepEqual([tool_calls_total, tool_calls_allowed, tool_calls_denied], [5, 1, 4]);
      const bundle = await client.export(session);
      assert.equal(bundle.entries[0]?.detail?.["enforcement_mode"], mode);
      await writeFile(join(folder, "claim.json"), JSON.stringify(claim));
      await writeFile(join(folder, "bundle.json"), JSON.stringify(bundle));
      const arguments_ = [
        "verify",
        join(folder, "claim.json"),
        "--audit-bundle",
        join(folder, "bundle.json"),
        ...(await platformArguments(gateway, { token: TOKEN, session, folder })),
      ];
      const refused = await cmcp([...arguments_, "--json"]);
      assert.equal(refused.code, 10);
      assert.match(refused.stdout, /MODE_NOT_ACCEPTED/);
      const verdict = await cmcp([...arguments_, "--allow-mode", mode]);
      assert.equal(verdict.code, 0, verdict.stdout);
      assert.match(verdict.stdout, new RegExp(`^ACCEPTED.*; mode: ${mode};.*; advisory denials: 4\\)`));
    });

    test("what a permit redacts is redacted though a forbid stands against the call", async () => {
      const answered = await client.call("private", "redacted");
      assert.equal(receiptOf(answered.body).decision, "advisory_deny");
      const text = JSON.stringify(answered.body.result);
      assert.match(text, /Ada/);
      assert.doesNotMatch(text, /078-05-1120/);
    });

    test("a call that was let through and then failed is a fault that still says what policy said", async () => {
      const answered = await client.call("down", "fails");
      assert.equal(answered.body.error?.data?.error_code, "UPSTREAM_UNAVAILABLE");
      const receipt = receiptOf(answered.body);
      const entry = await entryOf(receipt.session_id, "down");
      assert.deepEqual(
        [entry?.policy_decision, entry?.detail?.["advisory_decision"], entry?.detail?.["advisory_rule"]],
        ["fault", "deny", "none"],
      );
    });

    test("what is not policy is refused as ever", async () => {
      for (const [code, tool, args, context] of [
        ["TOOL_NOT_IN_CATALOG", "no-such-tool", {}, {}],
        ["MCP_INVALID_REQUEST", "strict", { n: "one" }, {}],
        ["WORKFLOW_NOT_ALLOWED", "open", {}, { workflow_id: "other" }],
        ["MCP_INVALID_REQUEST", "open", {}, { data_class: "no_such_class" }],
      ] as const) {
        const answered = await client.call(tool, "refused", args, context);
        assert.equal(answered.body.error?.data?.error_code, code, tool);
        assert.equal(receiptOf(answered.body).decision, "deny");
      }
    });

    test("every tool that can be called is listed, and status names the mode", async () => {
      const { body } = await client.rpc("tools/list", {});
      assert.deepEqual(
        (body.result?.["tools"] as { name: string }[] | undefined)?.map(({ name }) => name),
        [...OPEN_TOOLS, "down", "strict"],
      );
      const status = (await client.json("/v1/status"))["policy"] as { enforcement_mode: string };
      assert.equal(status.enforcement_mode, mode);
    });

    // The published image has no console: what the enclave prints in it, nobody hears.
    const isHeard = mode === "advisory" && !IN_MACHINE;

    test(isHeard ? "each such call is one log line" : "no log line tells of such a call", async () => {
      const first = receiptOf((await client.call("closed", "logged")).body);
      const faulted = await client.call("down", "logged");
      const callIds = [first.call_id, receiptOf(faulted.body).call_id];
      // The stop of the gateway would flush any line; a later one that does appear shows that these would have.
      if (isHeard) for (const id of callIds) await logged(gateway, new RegExp(`advisory_deny.*${id}.*POLICY_DENY`));
      await gateway.stop();
      for (const id of callIds)
        assert.equal(
          gateway
            .log()
            .split("\n")
            .filter((line) => line.includes(id)).length,
          isHeard ? 1 : 0,
        );
      assert.equal(gateway.log().includes("advisory_deny"), isHeard);
    });
  });
}
