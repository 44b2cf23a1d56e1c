/** Calls that reached a server and gave the agent nothing: what they could have returned counts as seen all the same. */
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
import { startChangingServer, type ChangingServer } from "../servers/changing-server.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const TOKEN = "results-withheld-token-results-withheld";
const OUTPUT = { type: "object", properties: { found: { type: "boolean" } }, required: ["found"] };
const POLICIES = `
  @id("all") permit (principal, action, resource);
  @id("way-out") forbid (principal, action, resource == cMCP::Resource::"out") when { context.session_max_sensitivity != "public" };`;

/** One tool a gateway, because what a principal has seen does not go away. */
const WITHHELD = {
  "a result outside the approved output schema": {
    code: "RESPONSE_SCHEMA_VIOLATION_STRICT",
    decision: "deny",
    outcome: "withheld",
  },
  "a server that hangs up": { code: "UPSTREAM_UNAVAILABLE", decision: "fault", outcome: "unknown" },
  "a result that is too large": { code: "RESPONSE_SIZE_EXCEEDED", decision: "deny", outcome: "withheld" },
} as const;

for (const [what, { code, decision, outcome }] of Object.entries(WITHHELD)) {
  describe(what, () => {
    const servers: (RawServer | ChangingServer)[] = [];
    let folder = "";
    let gateway: Gateway;
    let client: Client;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "cmcp-withheld-"));
      const secret = await startSecret(what);
      const out = await startRawServer("out", (socket, { id }) => socket.write(reply(callReply(id, "sent"))));
      servers.push(secret, out);
      const tools = [
        { name: "secret", url: secret.url, sensitivityLevel: "confidential", outputSchema: OUTPUT },
        { name: "out", url: out.url },
      ];
      const config = await deploy(join(folder, "d"), {
        tools,
        policies: POLICIES,
        config: "max_response_size_bytes: 10000\ncatalog: {drift_policy: warn_only}\n",
      });
      gateway = await startInProcess(config, developmentEnvironment(TOKEN));
      client = clientOf(gateway, TOKEN);
    });
    after(async () => {
      await gateway?.stop();
      for (const server of servers) await server.close();
      await rm(folder, { recursive: true, force: true });
    });

    test(`is ${code}, recorded as ${decision}, and raises what the principal has seen`, async () => {
      assert.equal((await client.call("out", "before")).body.error, undefined);
      const { body } = await client.call("secret", "reading");
      assert.equal(body.error?.data?.error_code, code);
      assert.equal(body.result, undefined, "nothing of the result is delivered");
      const receipt = receiptOf(body);
      assert.equal(receipt.decision, decision);
      const { entries } = await client.export(receipt.session_id);
      const entry = entries.find(({ entry_type: type }) => type === "tool_call");
      assert.deepEqual(
        [entry?.policy_decision, entry?.detail?.["outcome"], entry?.detail?.["error_code"]],
        [decision, outcome, code],
      );
      assert.deepEqual(
        [entry?.session_sensitivity_before, entry?.session_sensitivity_after],
        ["public", "confidential"],
      );
      for (const label of ["reading", "another"])
        assert.equal(
          (await client.call("out", label)).body.error?.data?.error_code,
          "SESSION_SENSITIVITY_POLICY_DENY",
          label,
        );
    });
  });
}

async function startSecret(what: string): Promise<RawServer | ChangingServer> {
  if (what === "a server that hangs up") return await startRawServer("secret", (socket) => socket.destroy());
  if (what === "a result that is too large")
    return await startRawServer("secret", (socket, { id }) => socket.write(reply(callReply(id, "x".repeat(12_000)))));
  // It answers with text alone, which is no object with `found`.
  return await startChangingServer("secret");
}
