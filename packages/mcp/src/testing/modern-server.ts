import { McpServer, createMcpHandler, fromJsonSchema, inputRequired } from "@modelcontextprotocol/server";
import type { Server } from "node:http";
import { serve } from "./gateway.ts";

const text = (value: string): { content: { type: "text"; text: string }[] } => ({
  content: [{ type: "text", text: value }],
});

/** A server of the official SDK that speaks the modern era and no other, with tools as `server-everything` names them. */
export class ModernServer {
  readonly #handler: ReturnType<typeof createMcpHandler>;
  /** Signals of the long-running calls it got, in order. */
  readonly running: AbortSignal[] = [];
  /** Headers of every request it got, in order. */
  readonly headers: Headers[] = [];

  constructor(legacy: "reject" | "stateless" = "reject") {
    this.#handler = createMcpHandler(() => this.#tools(), { legacy });
  }

  async listen(): Promise<{ url: URL; server: Server }> {
    return await serve((request) => {
      this.headers.push(request.headers);
      return this.#handler.fetch(request);
    });
  }

  #tools(): McpServer {
    const server = new McpServer({ name: "modern", version: "1" });
    const message = fromJsonSchema<{ message: string }>({
      type: "object",
      properties: { message: { type: "string" } },
      required: ["message"],
    });
    const mirrored: { type: "string" } = Object.assign({ type: "string" } as const, { "x-mcp-header": "Region" });
    const region = fromJsonSchema<{ region: string }>({
      type: "object",
      properties: { region: mirrored },
      required: ["region"],
    });
    const sum = fromJsonSchema<{ a: number; b: number }>({
      type: "object",
      properties: { a: { type: "number" }, b: { type: "number" } },
    });
    server.registerTool("echo", { description: "Repeats", inputSchema: message }, (args) =>
      text(`Echo: ${args.message}`),
    );
    server.registerTool("get-sum", { description: "Adds", inputSchema: sum }, ({ a, b }) =>
      text(`The sum of ${a} and ${b} is ${a + b}.`),
    );
    server.registerTool(
      "by-region",
      { description: "Mirrors its argument into a header", inputSchema: region },
      (args) => text(args.region),
    );
    server.registerTool(
      "list",
      {
        description: "Structured content that is no object",
        outputSchema: fromJsonSchema<number[]>({ type: "array", items: { type: "number" } }),
      },
      () => ({ content: [], structuredContent: [1, 2] }),
    );
    server.registerTool("asks", { description: "Asks for more" }, () => inputRequired({ requestState: "state" }));
    server.registerTool(
      "trigger-long-running-operation",
      { description: "Takes its time", inputSchema: fromJsonSchema({ type: "object" }) },
      async (_, context) => {
        const { signal } = context.mcpReq;
        this.running.push(signal);
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        return text("stopped");
      },
    );
    return server;
  }
}
