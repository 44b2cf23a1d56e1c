/** What a server says and asks before its result: it counts as seen from then on, and an answer is decided when it is there. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema, LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { RECEIPT_META_KEY, receiptSchema, type AuditEntry } from "@cmcp/audit/schema";
import { clientOf } from "../gateway/client.ts";
import { deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { IN_MACHINE, PATIENCE } from "../gateway/launcher.ts";
import { writePolicySchema } from "../gateway/policy-schema.ts";
import { eventually, newToken } from "../gateway/principals.ts";
import { refusedCode } from "../gateway/refused-call.ts";
import { ASKS, FAILS, SENDS, TELLS, TOLD, startAskingServer, type AskingServer } from "../servers/asking-server.ts";

const SEEN = "hipaa_phi";
const rules = (questions: string): string => `
  @id("calls") permit (principal, action == cMCP::Action::"call_tool", resource);
  @id("nothing-out") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"${SENDS}") when { context.session_max_sensitivity == "${SEEN}" };
  @id("questions") ${questions};`;
const MAY_ASK = 'permit (principal, action == cMCP::Action::"ask_client", resource)';
const MAY_NOT_ASK = 'forbid (principal, action == cMCP::Action::"ask_client", resource)';
const UNTIL_SEEN = `${MAY_ASK} when { context.session_max_sensitivity != "${SEEN}" }`;

describe("before the result", { timeout: 120_000 * PATIENCE }, () => {
  const token = newToken();
  const undo: (() => Promise<unknown>)[] = [];
  let server: AskingServer;
  let folder = "";
  let gateway: Gateway;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-before-"));
    undo.push(() => rm(folder, { recursive: true, force: true }));
    server = await startAskingServer();
    undo.push(() => server.close());
  });
  afterEach(async () => {
    for (const step of undo.splice(0).toReversed()) await step();
  });

  async function start(questions: string, mode = "enforcing"): Promise<void> {
    const tools = [
      { name: TELLS, url: server.url, sensitivityLevel: SEEN },
      { name: ASKS, url: server.url },
      { name: SENDS, url: server.url },
      { name: FAILS, url: server.url },
    ];
    const config = await deploy(folder, {
      tools,
      policies: rules(questions),
      config: `audit_db_path: audit.db\nattestation:\n  enforcement_mode: ${mode}\n`,
    });
    await writeFile(join(folder, "policies/rules.cedar"), rules(questions));
    await writePolicySchema(folder);
    gateway = await startGateway(config, developmentEnvironment(token));
    undo.push(() => gateway.stop());
  }

  /** An agent in a session of its own. @param answer gives what its user would */
  async function agent(
    heard: string[] = [],
    answer: (own: Client) => Promise<string> = async () => "nothing",
  ): Promise<Client> {
    const client = new Client({ name: "agent", version: "1" }, { capabilities: { elicitation: {} } });
    client.setNotificationHandler(
      LoggingMessageNotificationSchema,
      ({ params }) => void heard.push(String(params.data)),
    );
    client.setRequestHandler(ElicitRequestSchema, async () => ({
      action: "accept" as const,
      content: { text: await answer(client) },
    }));
    await client.connect(
      new StreamableHTTPClientTransport(new URL(gateway.mcp), {
        requestInit: { headers: { authorization: `Bearer ${token}` } },
      }),
    );
    undo.push(() => client.close());
    return client;
  }

  const isRefused = async (client: Client): Promise<void> => {
    const refused = await client.callTool({ name: SENDS, arguments: { text: TOLD } });
    assert.equal(refusedCode(refused), "SESSION_SENSITIVITY_POLICY_DENY");
    assert.ok(!server.reached.includes(SENDS), "nothing left");
  };

  test("what a log line told is held against the session while its call still runs", async () => {
    await start(MAY_ASK);
    const heard: string[] = [];
    const client = await agent(heard);
    await client.callTool({ name: SENDS, arguments: {} });
    assert.deepEqual(server.reached.splice(0), [SENDS], "nothing was seen yet");
    const running = client.callTool({ name: TELLS, arguments: {} });
    await eventually("the log line has come", () => heard.length > 0);
    assert.deepEqual(heard, [TOLD]);
    await isRefused(client);
    server.release();
    await running;
  });

  test("what it told is held against the principal when the enclave dies before the call ends", async () => {
    await start(MAY_ASK);
    const heard: string[] = [];
    // Its agent waits until the test closes it.
    void (await agent(heard)).callTool({ name: TELLS, arguments: {} }).catch(() => undefined);
    await eventually("the log line has come", () => heard.length > 0);
    const serves = async (): Promise<boolean> => (await fetch(`${gateway.url}/readyz`)).status === 200;
    process.kill(gateway.enclave_pid, "SIGKILL");
    await eventually("the enclave is gone", async () => !(await serves()));
    await eventually("another enclave serves", serves);
    await isRefused(await agent());
  });

  const entryOf = async (result: object): Promise<AuditEntry | undefined> => {
    const { session_id: session, call_id: call } = receiptSchema.parse(
      (result as { _meta: Record<string, unknown> })._meta[RECEIPT_META_KEY],
    );
    return (await clientOf(gateway, token).export(session)).entries.find(
      (entry) => entry.entry_type === "tool_call" && entry.call_id === call,
    );
  };
  const tellFirst = async (client: Client): Promise<string> => {
    server.release();
    await client.callTool({ name: TELLS, arguments: {} });
    return TOLD;
  };

  test("an answer given after more was seen is decided anew, and does not reach the server", async () => {
    await start(UNTIL_SEEN);
    const result = await (await agent([], tellFirst)).callTool({ name: ASKS, arguments: {} });
    assert.deepEqual(server.reached, [ASKS, TELLS, "refused"]);
    const { detail } = (await entryOf(result)) ?? {};
    assert.deepEqual(
      [detail?.["questions_asked"], detail?.["questions_refused"], detail?.["question_rule"]],
      [1, 1, "default-deny"],
    );
    server.reached.length = 0;
    const harmless = await (await agent()).callTool({ name: SENDS, arguments: {} });
    assert.ok(refusedCode(harmless) !== undefined, "the principal has seen it");
  });

  test("a question that policy forbids is not put, and the record says so", async () => {
    await start(MAY_NOT_ASK);
    const result = await (await agent()).callTool({ name: ASKS, arguments: {} });
    assert.deepEqual(server.reached, [ASKS, "refused"]);
    const { detail } = (await entryOf(result)) ?? {};
    assert.deepEqual(
      [detail?.["questions_asked"], detail?.["questions_refused"], detail?.["question_rule"]],
      [undefined, 1, "questions"],
    );
  });

  type Told = Error & { readonly code?: number; readonly data?: Readonly<Record<string, unknown>> };
  const failure = async (client: Client): Promise<Told> => {
    const thrown = await client.callTool({ name: FAILS, arguments: {} }).then(
      () => null,
      (error: Told) => error,
    );
    assert.ok(thrown !== null);
    return thrown;
  };

  test("an error is passed on without what poses as the gateway has it", async () => {
    await start(MAY_ASK);
    const { code, message, data } = await failure(await agent());
    assert.deepEqual(
      [code, message.includes(TOLD), data?.["ssn"], data?.["claim"]],
      [-32602, true, undefined, undefined],
    );
    receiptSchema.parse(data?.["receipt"]);
  });

  test("where fields are redacted, neither an error nor a question has words of the server", async () => {
    await start(
      `${MAY_ASK};\n  @id("in-part") @redact_fields("ssn") permit (principal, action == cMCP::Action::"call_tool", resource)`,
    );
    const questions: string[] = [];
    const client = await agent([], async () => {
      questions.push("asked");
      return "nothing";
    });
    const { code, message, data } = await failure(client);
    assert.equal(code, -32602);
    assert.equal(JSON.stringify([message, data]).includes(TOLD), false);
    // The result itself has no schema to be projected onto.
    const told = await client.callTool({ name: ASKS, arguments: {} }).catch((error: { data?: unknown }) => error.data);
    assert.match(JSON.stringify(told), /RESPONSE_UNPROJECTABLE/);
    assert.equal(JSON.stringify(told).includes(TOLD), false);
    assert.deepEqual([server.reached.at(-1), questions], ["refused", []]);
  });

  for (const mode of ["advisory", "silent"] as const) {
    test(`under ${mode} it is put, and the record says that policy forbids it`, async () => {
      await start(MAY_NOT_ASK, mode);
      const result = await (await agent()).callTool({ name: ASKS, arguments: {} });
      assert.deepEqual(server.reached, [ASKS, "answered nothing"]);
      const { detail } = (await entryOf(result)) ?? {};
      assert.deepEqual(
        [
          detail?.["questions_asked"],
          detail?.["questions_refused"],
          detail?.["questions_advisory_deny"],
          detail?.["question_rule"],
        ],
        [1, undefined, 1, "questions"],
      );
      // A machine has no console: what its enclave logs nobody hears.
      assert.equal(gateway.log().includes("advisory_deny"), mode === "advisory" && !IN_MACHINE);
    });
  }
});
