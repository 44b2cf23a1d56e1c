/** What a host sees of an approval under the seal that records everything: neither the call, the result, the answer's key nor a token. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign, webcrypto } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { preset } from "@cmcp/appraise";
import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { approvals, connect } from "@cmcp/client";
import * as z from "zod";
import { startToolsServer } from "../attacks/tools-server.ts";
import { deploy } from "../gateway/deployment.ts";
import { developmentEnvironment } from "../gateway/gateway.ts";
import { newToken } from "../gateway/principals.ts";
import { errorCodeOf } from "../gateway/refused-call.ts";
import { writePolicySchema } from "../gateway/policy-schema.ts";
import { namesIn, needleOf, type Needle } from "./forms.ts";
import { recordingFetch, startRecordingHost } from "./recording-host.ts";
import { storedRecords } from "./stored.ts";

const EXPECTED = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;
const [ARGUMENT, RESULT] = ["argument-of-an-agent-5c1f", "result-of-a-server-9e27"] as const;
const POLICIES = `@id("allow-all") permit (principal, action, resource);
@id("mail-needs-a-person") @aarm_decision("require_approval") @approval_reason("reason-of-a-rule-77aa")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"mail");
@id("results-need-a-person") @aarm_decision("require_approval")
forbid (principal, action == cMCP::Action::"deliver_result", resource == cMCP::Resource::"mail");
`;

const found = (streams: readonly Buffer[], needles: readonly Needle[]): string[] => [
  ...new Set(streams.flatMap((stream) => namesIn(stream, needles))),
];

test("under the seal the host is shown nothing of an approval but who gave it", { timeout: 300_000 }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-approval-transcript-"));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  const input = { text: z.string().optional() };
  const server = await startToolsServer("office", [{ name: "mail", description: "mail.", input, run: () => RESULT }]);
  t.after(async () => await server.close());
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const { x = "" } = publicKey.export({ format: "jwk" });
  const { d = "" } = privateKey.export({ format: "jwk" });
  const token = newToken();
  const inputSchema = {
    type: "object",
    properties: { text: { type: "string" } },
    $schema: "http://json-schema.org/draft-07/schema#",
  };
  const config = await deploy(join(folder, "deployment"), {
    tools: [{ name: "mail", url: server.url, inputSchema }],
    policies: POLICIES,
    config: `enclave: {channel: sealed, approvers: [{id: ann, ed25519: ${x}}]}\n`,
  });
  await writePolicySchema(join(folder, "deployment"));
  const gateway = await startRecordingHost(config, developmentEnvironment(token));
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (!stopped) await gateway.stop();
    stopped = true;
  };
  t.after(stop);
  const fetch = recordingFetch(gateway.heard);
  const url = new URL(gateway.url);
  const agent = await connect(url, EXPECTED, { crypto: webcrypto, fetch });
  const mail = async (): Promise<JsonObject> => await post(agent.fetch, gateway.mcp, token);
  const key = { id: "ann", sign: (message: Uint8Array) => new Uint8Array(sign(null, message, privateKey)) };
  const approve = async (subject: "call" | "result"): Promise<void> => {
    const ann = await approvals(url, EXPECTED, { crypto: webcrypto, approver: key, fetch });
    const [waiting] = await ann.list();
    const id = waiting?.["approval_id"];
    assert.ok(typeof id === "string");
    const shown = await ann.show(id);
    assert.deepEqual([shown.request.subject, shown.request.arguments], [subject, { text: ARGUMENT }]);
    assert.equal((await ann.answer(shown, { decision: "approve" })).state, "approved");
  };
  const needles = [
    needleOf("an argument", ARGUMENT),
    needleOf("a result", RESULT),
    needleOf("a rule's reason", "reason-of-a-rule-77aa"),
    needleOf("the approver's key", d),
    needleOf("the agent's token", token),
  ];
  // The record names the tool, and an approval's signature. What carries requests does not say so much.
  const words = ["Bearer", "cmcp-approval-", "tools/call", "approve", "mail"].map((text) => needleOf(text, text));

  assert.equal(errorCodeOf(await mail()), "APPROVAL_REQUIRED");
  await approve("call");
  assert.equal(server.calls.length, 0, "nothing reaches the server before the call is decided again");
  assert.deepEqual(found(gateway.heard.at("services"), needles), [], "what was stored while it waited");
  assert.equal(errorCodeOf(await mail()), "APPROVAL_REQUIRED", "its result waits");
  await approve("result");
  const delivered = await mail();
  assert.ok(JSON.stringify(delivered).includes(RESULT), JSON.stringify(delivered));
  assert.deepEqual(server.calls, [{ tool: "mail", arguments: { text: ARGUMENT } }]);

  for (const place of ["http", "link"] as const) {
    const streams = gateway.heard.at(place);
    assert.ok(
      streams.some(({ length }) => length > 1_000),
      "it heard something",
    );
    assert.deepEqual(found(streams, [...needles, ...words]), [], place);
  }
  // The server of this test speaks plain HTTP, through the host.
  assert.deepEqual(found(gateway.heard.at("services"), needles), ["a result", "an argument"], "positive control");
  await stop();
  const store = join(folder, "deployment/audit.db");
  const records = await storedRecords(store);
  assert.ok(
    records.some(({ bytes }) => bytes.includes("approval_signature")),
    "both answers are in the record",
  );
  assert.deepEqual(found([...records.map(({ bytes }) => bytes), await readFile(store)], needles), []);
  assert.deepEqual(found([Buffer.from(gateway.log())], needles), []);
});

/** The call, by an agent of MCP 2026-07-28. */
async function post(fetch: typeof globalThis.fetch, mcp: string, token: string): Promise<JsonObject> {
  const answer = await fetch(mcp, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "mail",
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: {
        name: "mail",
        arguments: { text: ARGUMENT },
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      },
    }),
  });
  const said: unknown = await answer.json();
  assert.ok(isJsonObject(said as JsonObject));
  return said as JsonObject;
}
