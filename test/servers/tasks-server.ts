import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { JsonObject } from "@cmcp/boundary";

/**
 * A server of MCP 2026-07-28 with the Tasks extension, as its specification has it. Its one tool becomes a task where
 * the client can take one, and needs input first for the topics `asks` and `who`: its state alone, or a name.
 */
export interface TasksServer {
  readonly url: string;
  /** Every message it got, in order. */
  readonly messages: {
    readonly method: string;
    readonly params: JsonObject;
    readonly headers: IncomingMessage["headers"];
  }[];
  /** What the next `tasks/get` says beside the task's identity and times; kept until it is set anew. */
  says: JsonObject;
  close(): Promise<void>;
}

const EXTENSION = "io.modelcontextprotocol/tasks";
const AT = "2026-08-01T00:00:00Z";

/** The tool, as the catalog is to approve it. */
export const SLOW_TOOL: { readonly name: string; readonly inputSchema: JsonObject } = {
  name: "slow",
  inputSchema: { type: "object", properties: { topic: { type: "string" } } },
};

/** What it asks for the topic `who`. */
export const NAME: JsonObject = {
  method: "elicitation/create",
  params: { message: "Who?", requestedSchema: { type: "object", properties: { name: { type: "string" } } } },
};

function answer(
  server: Pick<TasksServer, "says">,
  ids: Set<string>,
  method: string,
  params: JsonObject,
): { result: JsonObject } | { error: JsonObject } {
  const capabilities =
    ((params._meta as JsonObject)["io.modelcontextprotocol/clientCapabilities"] as { extensions?: JsonObject })
      .extensions ?? {};
  const taskId = typeof params.taskId === "string" ? params.taskId : "";
  const unknown = { error: { code: -32602, message: "no such task" } };
  switch (method) {
    case "server/discover":
      return {
        result: {
          supportedVersions: ["2026-07-28"],
          capabilities: { tools: {}, extensions: { [EXTENSION]: {} } },
          ttlMs: 0,
          cacheScope: "private",
        },
      };
    case "tools/list":
      return {
        result: { tools: [{ ...SLOW_TOOL, description: `${SLOW_TOOL.name}.` }], ttlMs: 0, cacheScope: "private" },
      };
    case "tools/call": {
      if ((params.arguments as JsonObject).topic === "asks" && params.inputResponses === undefined)
        return { result: { resultType: "input_required", inputRequests: {}, requestState: "the server's own" } };
      if ((params.arguments as JsonObject).topic === "who" && params.inputResponses === undefined)
        return { result: { resultType: "input_required", inputRequests: { name: NAME }, requestState: "its own" } };
      if (capabilities[EXTENSION] === undefined) return { result: { content: [{ type: "text", text: "at once" }] } };
      const made = randomUUID();
      ids.add(made);
      return {
        result: {
          resultType: "task",
          taskId: made,
          status: "working",
          createdAt: AT,
          lastUpdatedAt: AT,
          ttlMs: 600_000,
          pollIntervalMs: 10,
        },
      };
    }
    case "tasks/get":
      if (!ids.has(taskId)) return unknown;
      return {
        result: { taskId, createdAt: AT, lastUpdatedAt: AT, ttlMs: 600_000, status: "working", ...server.says },
      };
    case "tasks/update":
    case "tasks/cancel":
      return ids.has(taskId) ? { result: {} } : unknown;
    default:
      return { error: { code: -32601, message: "no such method" } };
  }
}

export async function startTasksServer(): Promise<TasksServer> {
  const ids = new Set<string>();
  const http = createServer((incoming, outgoing) => {
    void text(incoming).then((body) => {
      const { id, method, params = {} } = JSON.parse(body) as { id?: number; method: string; params?: JsonObject };
      server.messages.push({ method, params, headers: incoming.headers });
      const said = answer(server, ids, method, params);
      outgoing.writeHead(200, { "content-type": "application/json" });
      outgoing.end(
        JSON.stringify({
          jsonrpc: "2.0",
          id,
          ...("result" in said ? { result: { resultType: "complete", ...said.result } } : said),
        }),
      );
    });
  });
  const server: TasksServer = {
    url: "",
    messages: [],
    says: {},
    close: async () => {
      http.closeAllConnections();
      http.close();
      await once(http, "close");
    },
  };
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return Object.assign(server, { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp` });
}
