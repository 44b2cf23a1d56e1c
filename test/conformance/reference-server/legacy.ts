import { randomUUID } from "node:crypto";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  ErrorCode,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListResourcesRequestSchema,
  ListToolsRequestSchema,
  LoggingLevelSchema,
  McpError,
  ReadResourceRequestSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
  type LoggingLevel,
  type ServerNotification,
  type ServerRequest,
} from "@modelcontextprotocol/sdk/types.js";
import { MemoryEvents } from "./legacy-events.ts";
import { LEGACY_TOOLS, type LegacyRunning, type LegacyTool } from "./legacy-tools.ts";
import { PROMPTS, complete } from "./prompts.ts";
import { RESOURCES, TEMPLATE, templateContents } from "./resources.ts";
import { SHARED_TOOLS } from "./tools.ts";

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

const LEVELS: readonly LoggingLevel[] = LoggingLevelSchema.options;
const TOOLS: readonly LegacyTool[] = [...SHARED_TOOLS, ...LEGACY_TOOLS];

function invalid(message: string, data?: object): McpError {
  return new McpError(ErrorCode.InvalidParams, message, data);
}

function running(extra: Extra, level: () => LoggingLevel): LegacyRunning {
  return {
    progressToken: extra._meta?.progressToken,
    progress: (progressToken, progress, total) =>
      extra.sendNotification({ method: "notifications/progress", params: { progressToken, progress, total } }),
    log: async (data) => {
      if (LEVELS.indexOf("info") >= LEVELS.indexOf(level()))
        await extra.sendNotification({ method: "notifications/message", params: { level: "info", data } });
    },
    send: extra.sendRequest,
    ...(extra.closeSSEStream === undefined ? {} : { closeStream: extra.closeSSEStream }),
  };
}

function handleTools(server: Server, level: () => LoggingLevel): void {
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: TOOLS.map(({ name, description, inputSchema }) => ({ name, description, inputSchema: { ...inputSchema } })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const tool = TOOLS.find(({ name }) => name === params.name);
    if (tool === undefined) throw invalid(`Unknown tool: ${params.name}`);
    return await tool.run(running(extra, level), params.arguments ?? {});
  });
}

function handleResources(server: Server): void {
  const subscribed = new Set<string>();
  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: RESOURCES.map(({ name, uri, description, mimeType }) => ({ name, uri, description, mimeType })),
  }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [TEMPLATE] }));
  server.setRequestHandler(ReadResourceRequestSchema, ({ params: { uri } }) => {
    const [, id] = /^test:\/\/template\/([^/]+)\/data$/.exec(uri) ?? [];
    const contents =
      id === undefined ? RESOURCES.find((resource) => resource.uri === uri)?.read() : templateContents(uri, id);
    if (contents === undefined) throw invalid("Resource not found", { uri });
    return { contents: [contents] };
  });
  server.setRequestHandler(SubscribeRequestSchema, ({ params: { uri } }) => {
    subscribed.add(uri);
    return {};
  });
  server.setRequestHandler(UnsubscribeRequestSchema, ({ params: { uri } }) => {
    subscribed.delete(uri);
    return {};
  });
}

function handlePrompts(server: Server): void {
  server.setRequestHandler(ListPromptsRequestSchema, () => ({
    prompts: PROMPTS.map(({ name, description, arguments: args }) => ({ name, description, arguments: [...args] })),
  }));
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) => {
    const prompt = PROMPTS.find(({ name }) => name === params.name);
    const args = params.arguments ?? {};
    const missing = prompt?.arguments.find(({ name }) => args[name] === undefined);
    if (prompt === undefined || missing !== undefined)
      throw invalid(prompt === undefined ? `Unknown prompt: ${params.name}` : `Missing argument ${missing?.name}`);
    return { messages: prompt.get(args).map((content) => ({ role: "user" as const, content })) };
  });
  server.setRequestHandler(CompleteRequestSchema, ({ params }) => ({
    completion: { values: complete(params.argument.value), hasMore: false },
  }));
}

function newServer(): Server {
  const capabilities = {
    tools: { listChanged: true },
    resources: { subscribe: true, listChanged: true },
    prompts: { listChanged: true },
    completions: {},
    logging: {},
  };
  const server = new Server({ name: "reference-server", version: "1.0.0" }, { capabilities });
  let level: LoggingLevel = "info";
  server.setRequestHandler(SetLevelRequestSchema, ({ params }) => {
    level = params.level;
    return {};
  });
  handleTools(server, () => level);
  handleResources(server);
  handlePrompts(server);
  return server;
}

/** The reference server in the versions with `initialize` and sessions. */
export class LegacyReferenceServer {
  readonly #sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();

  /** Serves one HTTP request. */
  readonly fetch = async (request: Request): Promise<Response> => {
    const id = request.headers.get("mcp-session-id");
    if (id === null) return await (await this.#newSession()).handleRequest(request);
    const session = this.#sessions.get(id);
    if (session !== undefined) return await session.handleRequest(request);
    return Response.json(
      { jsonrpc: "2.0", id: null, error: { code: -32001, message: "Session not found" } },
      { status: 404 },
    );
  };

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#sessions.values(), (session) => session.close()));
  }

  async #newSession(): Promise<WebStandardStreamableHTTPServerTransport> {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new MemoryEvents(),
      retryInterval: 500,
      onsessioninitialized: (id) => void this.#sessions.set(id, transport),
      onsessionclosed: (id) => void this.#sessions.delete(id),
    });
    await newServer().connect(transport);
    return transport;
  }
}
