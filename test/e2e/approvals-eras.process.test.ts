/** Approvals of what goes on after a call: tasks of both eras, their results, and answers to a server that asks. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { RECEIPT_META_KEY, receiptSchema } from "@cmcp/audit/schema";
import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { cmcp } from "../gateway/cli.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { eventually } from "../gateway/principals.ts";
import { errorCodeOf } from "../gateway/refused-call.ts";
import { startTasksDeployment, TOOL, type TasksDeployment } from "../gateway/tasks.ts";
import { NAME } from "../servers/tasks-server.ts";

const POLICIES = `
@id("a-person-first") @aarm_decision("require_approval")
forbid (principal, action == cMCP::Action::"call_tool", resource) when { resource == cMCP::Resource::"${TOOL}" || resource == cMCP::Resource::"slow" };
@id("a-person-reads-first") @aarm_decision("require_approval")
forbid (principal, action == cMCP::Action::"deliver_result", resource == cMCP::Resource::"slow")
when { context.arguments has topic && context.arguments.topic == "t" };
`;
const ANSWER = { action: "accept", content: { name: "Ada\u202eevil" } };
const TASKS = { extensions: { "io.modelcontextprotocol/tasks": {} } };

interface Shown {
  readonly request_hash: string;
  readonly request: JsonObject & { readonly approval_id: string };
}
interface Reply {
  readonly result?: JsonObject;
  readonly error?: { readonly code: number; readonly message: string; readonly data: JsonObject };
}

describe("approvals of tasks, and of answers to a server", { timeout: 240_000 * PATIENCE }, () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  let folder = "";
  let deployment: TasksDeployment;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-approvals-eras-"));
    const key = privateKey.export({ type: "pkcs8", format: "pem" });
    await writeFile(join(folder, "ann.pem"), key, { mode: 0o600 });
    const { x = "" } = publicKey.export({ format: "jwk" });
    const enclave = `  approvers: [{id: ann, ed25519: ${x}}]\n`;
    deployment = await startTasksDeployment({ policies: POLICIES, enclave });
  });
  after(async () => {
    await deployment?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const pins = (): string[] => {
    const { launch_digest: digest } = deployment.gateway;
    return ["--allow-software-only", "--launch-digest", digest.replace("sha256:", "")];
  };
  const approvals = async (...args: readonly string[]): Promise<string> => {
    const where = ["--url", deployment.gateway.url, "--approver", "ann", "--key", join(folder, "ann.pem"), ...pins()];
    const { code, stdout, stderr } = await cmcp(["approvals", ...args, ...where]);
    assert.equal(code, 0, `${stdout}${stderr}`);
    return stdout;
  };
  /** Approves what waits, and nothing else does. */
  const approve = async (): Promise<Shown> => {
    const { approvals: all } = JSON.parse(await approvals("list", "--json")) as {
      readonly approvals: readonly { readonly approval_id: string }[];
    };
    assert.equal(all.length, 1);
    const id = all[0]?.approval_id ?? "";
    const shown = JSON.parse(await approvals("show", id, "--json")) as Shown;
    await approvals("approve", id, "--request", shown.request_hash);
    return shown;
  };
  const sentTo = (method: string): readonly JsonObject[] =>
    deployment.modern.messages.flatMap((message) => (message.method === method ? [message.params] : []));

  /** A request of an agent of MCP 2026-07-28. */
  const ask = async (method: string, params: JsonObject, capabilities: JsonObject = TASKS): Promise<Reply> => {
    const name = params.name ?? params.taskId;
    const response = await fetch(deployment.gateway.mcp, {
      method: "POST",
      headers: {
        authorization: `Bearer ${deployment.tokens.alice}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": method,
        ...(typeof name === "string" ? { "mcp-name": name } : {}),
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method,
        params: {
          ...params,
          _meta: {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": capabilities,
          },
        },
      }),
    });
    return (await response.json()) as Reply;
  };
  const codeOf = ({ error, result }: Reply): unknown => error?.data["error_code"] ?? errorCodeOf({ result } as never);

  test("in MCP 2025-11-25 a call as a task waits, and becomes one task once a person approved it", async () => {
    const client = new Client({ name: "agent", version: "1" });
    const headers = { authorization: `Bearer ${deployment.tokens.bob}` };
    await client.connect(
      new StreamableHTTPClientTransport(new URL(deployment.gateway.mcp), { requestInit: { headers } }),
    );
    await eventually("the server has listed its tools", async () =>
      (await client.listTools()).tools.some(({ execution }) => execution?.taskSupport === "required"),
    );
    const run = async (topic: string): Promise<readonly { readonly type: string; readonly text: string }[]> => {
      const seen = [];
      const call = { name: TOOL, arguments: { topic } };
      for await (const message of client.experimental.tasks.callToolStream(call, undefined, { task: { ttl: 300_000 } }))
        seen.push({
          type: message.type,
          text: `${JSON.stringify(message)}${message.type === "error" ? message.error.message : ""}`,
        });
      return seen;
    };
    const refused = await run("approved tasks");
    assert.match(refused.at(-1)?.text ?? "", /waits for a person to approve it/);
    const { request } = await approve();
    assert.deepEqual([request["task"], request["arguments"]], [{ ttl: 300_000 }, { topic: "approved tasks" }]);
    const done = await run("approved tasks");
    assert.deepEqual([done[0]?.type, done.at(-1)?.type], ["taskCreated", "result"], JSON.stringify(done));
    assert.match(done.at(-1)?.text ?? "", /Research Report: approved tasks/);
    assert.match((await run("approved tasks")).at(-1)?.text ?? "", /waits for a person/, "another task");
    await approve();
    await client.close();
  });

  test("in MCP 2026-07-28 so does a call that its server makes a task of, and its result waits in the task", async () => {
    deployment.modern.says = {};
    const call = { name: "slow", arguments: { topic: "t" } };
    assert.equal(codeOf(await ask("tools/call", call)), "APPROVAL_REQUIRED");
    assert.equal((await approve()).request["task"], undefined, "the server makes it a task");
    const { result: made } = await ask("tools/call", call);
    assert.equal(made?.resultType, "task");
    assert.ok(typeof made.taskId === "string");
    const about = { taskId: made.taskId };
    assert.equal((await ask("tasks/get", about)).result?.status, "working", "no further approval");
    deployment.modern.says = { status: "completed", result: { content: [{ type: "text", text: "the whole ledger" }] } };
    const withheld = await ask("tasks/get", about);
    assert.equal(codeOf(withheld), "APPROVAL_REQUIRED");
    assert.ok(!JSON.stringify(withheld).includes("ledger"));
    const asked = sentTo("tasks/get").length;
    const { request } = await approve();
    assert.deepEqual([request["subject"], request["task"]], ["result", { id: made.taskId }]);
    assert.match(JSON.stringify(request["result"]), /the whole ledger/);
    const { result: got } = await ask("tasks/get", about);
    assert.match(JSON.stringify(got?.result), /the whole ledger/);
    assert.deepEqual([sentTo("tasks/get").length, got?.status], [asked, "completed"]);
    deployment.modern.says = {};
  });

  test("answers to a server go on after an approval that shows them, and the record of it verifies", async () => {
    const call = { name: "slow", arguments: { topic: "who" } };
    const capabilities = { elicitation: {} };
    assert.equal(codeOf(await ask("tools/call", call, capabilities)), "APPROVAL_REQUIRED");
    await approve();
    const { result: asks } = await ask("tools/call", call, capabilities);
    assert.ok(asks?.resultType === "input_required" && typeof asks.requestState === "string", JSON.stringify(asks));
    const sent = sentTo("tools/call").length;
    const answered = { ...call, inputResponses: { name: ANSWER }, requestState: asks.requestState };
    assert.equal(codeOf(await ask("tools/call", answered, capabilities)), "APPROVAL_REQUIRED");
    const [id] = /^[A-Za-z0-9_-]{22}/m.exec(await approvals("list")) ?? [];
    assert.ok(id !== undefined);
    assert.match(await approvals("show", id), /^answers\n[^]*Who\?[^]*Ada\\u202eevil/m);
    const { request } = await approve();
    assert.deepEqual(request["answers"], { name: { ...NAME, answer: ANSWER } });
    assert.equal(sentTo("tools/call").length, sent);
    const { result } = await ask("tools/call", answered, capabilities);
    assert.deepEqual(
      sentTo("tools/call")
        .slice(sent)
        .map(({ inputResponses }) => inputResponses),
      [{ name: ANSWER }],
    );
    assert.deepEqual(result?.content, [{ type: "text", text: "at once" }]);
    assert.equal(codeOf(await ask("tools/call", answered, capabilities)), "REQUEST_STATE_INVALID");
    assert.equal(sentTo("tools/call").length, sent + 1);
    await verifies(result);
  });

  const verifies = async (result: JsonObject | undefined): Promise<void> => {
    const meta = isJsonObject(result?._meta) ? result._meta : {};
    const { session_id: session } = receiptSchema.parse(meta[RECEIPT_META_KEY]);
    const { gateway, tokens } = deployment;
    const exported = await fetch(`${gateway.url}/audit/export?session_id=${session}`, {
      headers: { authorization: `Bearer ${tokens.alice}` },
    });
    const text = await exported.text();
    for (const secret of ["Ada", "ledger", "Who?"]) assert.ok(!text.includes(secret), secret);
    assert.ok(text.includes("approval_continued"));
    await writeFile(join(folder, "bundle.json"), text);
    const report = (await (await fetch(`${gateway.url}/attestation`)).json()) as {
      readonly binding: { readonly keys: { readonly signing: string } };
    };
    const trusted = ["--trusted-key", report.binding.keys.signing, "--allow-software-only", "--json"];
    const verified = await cmcp(["audit", "verify", join(folder, "bundle.json"), ...trusted]);
    assert.equal(verified.code, 0, verified.stdout);
  };
});
