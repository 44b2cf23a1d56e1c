import { randomBytes } from "node:crypto";
import {
  McpServer,
  ResourceTemplate,
  createMcpHandler,
  createRequestStateCodec,
  fromJsonSchema,
  type JsonSchemaType,
  type McpHttpHandler,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { text } from "./content.ts";
import { registerInputTools } from "./input-required.ts";
import { PROMPTS, complete } from "./prompts.ts";
import { RESOURCES, TEMPLATE, templateContents } from "./resources.ts";
import { LOGGING_TOOL, SHARED_TOOLS, type Running, type SharedTool } from "./tools.ts";

function running({ mcpReq }: ServerContext): Running {
  return {
    progressToken: mcpReq._meta?.progressToken,
    progress: (progressToken, progress, total) =>
      mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total } }),
    // The SDK sends nothing below the level the request's envelope asks for, and nothing when it asks for none.
    log: (message) => mcpReq.log("info", message),
  };
}

function registerShared(server: McpServer, tool: SharedTool): void {
  const inputSchema = fromJsonSchema<{ [name: string]: unknown }>(tool.inputSchema);
  server.registerTool(
    tool.name,
    { description: tool.description, inputSchema },
    async (args, context) => await tool.run(running(context), args),
  );
}

/** A tool whose argument travels in a header too (MCP 2026-07-28, "Custom Headers from Tool Parameters"). */
function registerMirrored(server: McpServer): void {
  const region: JsonSchemaType = Object.assign({ type: "string" } as const, { "x-mcp-header": "Region" });
  const inputSchema = fromJsonSchema<{ region: string }>({
    type: "object",
    properties: { region },
    required: ["region"],
  });
  server.registerTool(
    "test_x_mcp_header",
    { description: "Repeats an argument that is mirrored into a header.", inputSchema },
    ({ region: value }) => ({ content: [text(value)] }),
  );
}

function registerTriggers(server: McpServer, handler: () => McpHttpHandler): void {
  server.registerTool("test_trigger_tool_change", { description: "Says that the list of tools changed." }, () => {
    handler().notify.toolsChanged();
    return { content: [text("tools changed")] };
  });
  server.registerTool("test_trigger_prompt_change", { description: "Says that the list of prompts changed." }, () => {
    handler().notify.promptsChanged();
    return { content: [text("prompts changed")] };
  });
}

function registerResources(server: McpServer): void {
  for (const resource of RESOURCES) {
    const { name, uri, description, mimeType } = resource;
    server.registerResource(
      name,
      uri,
      { description, mimeType, cacheHint: { ttlMs: 60_000, cacheScope: "public" } },
      () => ({ contents: [resource.read()] }),
    );
  }
  server.registerResource(
    TEMPLATE.name,
    new ResourceTemplate(TEMPLATE.uriTemplate, { list: undefined }),
    { description: TEMPLATE.description, mimeType: TEMPLATE.mimeType },
    (uri, { id }) => ({
      contents: [templateContents(uri.href, String(id))],
    }),
  );
}

function registerPrompts(server: McpServer): void {
  for (const prompt of PROMPTS) {
    const properties = Object.fromEntries(
      prompt.arguments.map(({ name, description }) => [name, { type: "string", description }]),
    );
    const argsSchema = fromJsonSchema<{ [name: string]: string }>({
      type: "object",
      properties,
      required: Object.keys(properties),
    });
    const messages = (args: {
      [name: string]: string;
    }): { messages: { role: "user"; content: ReturnType<typeof prompt.get>[number] }[] } => ({
      messages: prompt.get(args).map((content) => ({ role: "user", content })),
    });
    if (prompt.arguments.length === 0)
      server.registerPrompt(prompt.name, { description: prompt.description }, () => messages({}));
    else server.registerPrompt(prompt.name, { description: prompt.description, argsSchema }, messages);
  }
}

/** The reference server in MCP 2026-07-28, and in no other version. */
export function modernReferenceServer(): McpHttpHandler {
  // One key for all requests: every request is served by an instance of its own.
  const state = createRequestStateCodec<{ round: string }>({ key: randomBytes(32), ttlSeconds: 60 });
  const handler: McpHttpHandler = createMcpHandler(
    () => {
      const server = new McpServer(
        { name: "reference-server", version: "1.0.0" },
        {
          capabilities: { logging: {}, completions: {}, resources: { subscribe: true, listChanged: true } },
          requestState: { verify: (value, context) => state.verify(value, context) },
        },
      );
      for (const tool of [...SHARED_TOOLS, LOGGING_TOOL]) registerShared(server, tool);
      registerMirrored(server);
      registerTriggers(server, () => handler);
      registerInputTools(server, state);
      registerResources(server);
      registerPrompts(server);
      server.server.setRequestHandler("completion/complete", ({ params }) => ({
        completion: { values: complete(params.argument.value), hasMore: false },
      }));
      return server;
    },
    { legacy: "reject" },
  );
  return handler;
}
