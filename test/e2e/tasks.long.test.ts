/** Tasks of the session era, with the official client. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CallToolResultSchema,
  ElicitRequestSchema,
  type CallToolResult,
  type CreateTaskResult,
} from "@modelcontextprotocol/sdk/types.js";
import { RECEIPT_META_KEY, receiptSchema } from "@cmcp/audit/schema";
import { clientOf } from "../gateway/client.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { eventually } from "../gateway/principals.ts";
import { SLOW_TOOL } from "../servers/tasks-server.ts";
import { startTasksDeployment, TOOL, type Principal, type TasksDeployment } from "../gateway/tasks.ts";

const RELATED = "io.modelcontextprotocol/related-task";

type Refusal = Error & { readonly code?: number; readonly data?: { readonly error_code?: string } };

describe("tasks of real servers", { timeout: 120_000 * PATIENCE }, () => {
  let deployment: TasksDeployment;
  before(async () => {
    deployment = await startTasksDeployment();
  });
  after(() => deployment.close());

  async function agent(who: Principal = "alice"): Promise<Client> {
    const client = new Client({ name: "agent", version: "1" }, { capabilities: { elicitation: {} } });
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      asked.push(params);
      return { action: "accept", content: { interpretation: "technical" } };
    });
    await client.connect(
      new StreamableHTTPClientTransport(new URL(deployment.gateway.mcp), {
        requestInit: { headers: { authorization: `Bearer ${deployment.tokens[who]}` } },
      }),
    );
    // The client knows from the list which tools it calls as tasks.
    await client.listTools();
    return client;
  }
  const asked: { readonly _meta?: Record<string, unknown> | undefined }[] = [];

  /** Makes a task without waiting for it. */
  async function makeTask(
    client: Client,
    args: Record<string, unknown> = { topic: "tasks" },
  ): Promise<CreateTaskResult["task"]> {
    for await (const message of client.experimental.tasks.callToolStream({ name: TOOL, arguments: args })) {
      if (message.type === "taskCreated") return message.task;
      assert.notEqual(message.type, "error", JSON.stringify(message));
    }
    throw new Error("no task was made");
  }

  test("the official client makes a task of a tool that must be one, polls it and gets its result", async () => {
    const client = await agent();
    const support = async (): Promise<Record<string, string | undefined>> =>
      Object.fromEntries((await client.listTools()).tools.map(({ name, execution }) => [name, execution?.taskSupport]));
    // A server that is slow to list its tools the first time is not waited for.
    await eventually("the server has listed its tools", async () =>
      Object.values(await support()).includes("required"),
    );
    assert.deepEqual(await support(), { echo: undefined, "get-sum": undefined, [TOOL]: "required", slow: undefined });
    const seen: string[] = [];
    let result: CallToolResult | undefined;
    for await (const message of client.experimental.tasks.callToolStream({
      name: TOOL,
      arguments: { topic: "confidential computing" },
    })) {
      seen.push(message.type);
      assert.notEqual(message.type, "error", JSON.stringify(message));
      if (message.type === "result") result = message.result as CallToolResult;
    }
    assert.deepEqual([seen[0], seen.at(-1)], ["taskCreated", "result"]);
    assert.match(JSON.stringify(result?.content), /Research Report: confidential computing/);
    assert.ok(result?._meta?.[RECEIPT_META_KEY] !== undefined);
    await client.close();
  });

  test("a task asks its agent for input, by the id the agent knows", async () => {
    const client = await agent();
    asked.length = 0;
    let result: CallToolResult | undefined;
    for await (const message of client.experimental.tasks.callToolStream({
      name: TOOL,
      arguments: { topic: "python", ambiguous: true },
    }))
      if (message.type === "result") result = message.result as CallToolResult;
    assert.match(JSON.stringify(result?.content), /technical/);
    assert.equal(asked.length, 1);
    const related = (meta: Record<string, unknown> | undefined): unknown =>
      (meta?.[RELATED] as { taskId?: string } | undefined)?.taskId;
    const { tasks } = await client.experimental.tasks.listTasks();
    assert.deepEqual([related(asked[0]?._meta), related(result?._meta)], [tasks[0]?.taskId, tasks[0]?.taskId]);
    await client.close();
  });

  test("another session's and another principal's task is like one that does not exist, and stays as it was", async () => {
    const owner = await agent();
    const { taskId } = await makeTask(owner);
    for (const other of [await agent("bob"), await agent("alice")]) {
      const { tasks } = other.experimental;
      const answers = [];
      for (const id of [taskId, "A".repeat(taskId.length)]) {
        for (const asking of [
          () => tasks.getTask(id),
          () => tasks.getTaskResult(id, CallToolResultSchema),
          () => tasks.cancelTask(id),
        ]) {
          answers.push(
            await asking().then(
              () => "answered",
              ({ code, message, data }: Refusal) => [code, message, data?.error_code].join(),
            ),
          );
        }
      }
      assert.equal(new Set(answers).size, 1, JSON.stringify(answers));
      assert.match(answers[0] ?? "", /^-32602,.*TASK_UNKNOWN$/);
      assert.deepEqual((await tasks.listTasks()).tasks, []);
      await other.close();
    }
    assert.notEqual((await owner.experimental.tasks.getTask(taskId)).status, "cancelled");
    assert.deepEqual(
      (await owner.experimental.tasks.listTasks()).tasks.map((task) => task.taskId),
      [taskId],
    );
    assert.equal((await owner.experimental.tasks.cancelTask(taskId)).status, "cancelled");
    await owner.close();
  });

  test("what is asked of a task is decided as the call it was made by; giving it up is not, and all is recorded", async () => {
    const client = await agent();
    const { taskId } = await makeTask(client);
    const echoed = await client.callTool({ name: "echo", arguments: { message: "of the board" } });
    for (const asking of [
      () => client.experimental.tasks.getTask(taskId),
      () => client.experimental.tasks.getTaskResult(taskId, CallToolResultSchema),
    ]) {
      await assert.rejects(asking(), ({ data }: Refusal) => data?.error_code === "SESSION_SENSITIVITY_POLICY_DENY");
    }
    assert.equal((await client.experimental.tasks.cancelTask(taskId)).status, "cancelled");
    const { session_id: sessionId } = receiptSchema.parse(echoed._meta?.[RECEIPT_META_KEY]);
    const auditor = clientOf(deployment.gateway, deployment.tokens.alice);
    const { entries } = await auditor.export(sessionId);
    const calls = entries
      .filter(({ entry_type: type }) => type === "tool_call")
      .map(({ tool_name: tool, policy_decision: decision, detail }) => [
        tool,
        detail?.["method"],
        decision,
        detail?.["outcome"],
      ]);
    assert.deepEqual(calls, [
      [TOOL, undefined, "allow", "task_created"],
      ["echo", undefined, "allow", "delivered"],
      [TOOL, "tasks/get", "deny", undefined],
      [TOOL, "tasks/result", "deny", undefined],
      [TOOL, "tasks/cancel", "allow", "cancel_requested"],
    ]);
    await client.close();
  });

  test("a task ends with its session, and the gateway keeps nothing of it", async () => {
    const client = await agent("bob");
    const kept = async (): Promise<number> =>
      (
        (await clientOf(deployment.gateway, deployment.tokens.bob).json("/v1/status")) as {
          load: { tasks: { kept: number } };
        }
      ).load.tasks.kept;
    const before = await kept();
    await makeTask(client);
    assert.equal(await kept(), before + 1);
    const transport = client.transport;
    assert.ok(transport instanceof StreamableHTTPClientTransport);
    await transport.terminateSession();
    assert.equal(await kept(), before);
    await client.close();
  });

  test("a tool that is no task is refused as one by name, and does not reach its server", async () => {
    const client = await agent();
    await assert.rejects(
      client.request(
        { method: "tools/call", params: { name: "get-sum", arguments: { a: 1, b: 2 }, task: {} } },
        CallToolResultSchema,
      ),
      ({ code, data }: Refusal) => code === -32601 && data?.error_code === "TASK_NOT_SUPPORTED",
    );
    await assert.rejects(
      client.request(
        { method: "tools/call", params: { name: SLOW_TOOL.name, arguments: {}, task: {} } },
        CallToolResultSchema,
      ),
      ({ code, data }: Refusal) => code === -32601 && data?.error_code === "TASK_NOT_SUPPORTED",
    );
    await client.close();
  });
});
