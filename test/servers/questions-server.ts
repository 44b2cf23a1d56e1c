import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A JSON-RPC message that the server got. */
export interface Got {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: { readonly name?: string; readonly capabilities?: object };
  readonly result?: object;
  readonly error?: { readonly code: number };
}

/** A server of the session era whose tools ask the agent, each in its way. */
export interface QuestionsServer {
  readonly url: string;
  /** Every message it got, in order. */
  readonly got: readonly Got[];
  /** How often a tool was called. */
  calls(tool: string): number;
  close(): Promise<void>;
}

/** Its tools, and what each does with a question. */
export const ASKING_TOOLS = ["takes-back", "leaves", "asks-form", "asks-url", "breaks-off"] as const;

const QUESTION = { message: "name?", requestedSchema: { type: "object", properties: {} } };

/** Starts one. */
export async function startQuestionsServer(): Promise<QuestionsServer> {
  const got: Got[] = [];
  /** Calls that wait for an answer, by the id of their question. */
  const waiting = new Map<number, (answer: Got) => void>();
  let questions = 0;

  const stream = (response: ServerResponse): ((message: object) => void) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    return (message) => void response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`);
  };

  const call = (message: Got, response: ServerResponse): void => {
    const name = message.params?.name;
    if (name === "breaks-off") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end("retry: 1\nid: e-1\ndata:\n\n");
      return;
    }
    const say = stream(response);
    const finish = (told: object): void => {
      say({ id: message.id, result: { content: [{ type: "text", text: JSON.stringify(told) }] } });
      response.end();
    };
    const id = 1_000 + (questions += 1);
    say({
      id,
      method: "elicitation/create",
      params:
        name === "asks-url"
          ? { ...QUESTION, mode: "url", url: "https://tools.example/", elicitationId: "e" }
          : QUESTION,
    });
    if (name === "leaves") return finish({ left: true });
    waiting.set(id, ({ result, error }) => finish({ result, error: error?.code }));
    if (name !== "takes-back") return;
    waiting.delete(id);
    say({ method: "notifications/cancelled", params: { requestId: id } });
    say({ method: "notifications/message", params: { level: "info", data: "went on" } });
    finish({ tookBack: true });
  };

  const answer = (message: Got, response: ServerResponse): void => {
    got.push(message);
    const send = (result: object, more: object = {}): void => {
      response
        .writeHead(200, { "content-type": "application/json", ...more })
        .end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result }));
    };
    if (message.method === "initialize")
      return send(
        {
          protocolVersion: "2025-11-25",
          capabilities: { tools: {}, logging: {} },
          serverInfo: { name: "asking", version: "1" },
        },
        { "mcp-session-id": `s${got.length}` },
      );
    if (message.method === "tools/list")
      return send({
        tools: ASKING_TOOLS.map((name) => ({ name, description: `${name}.`, inputSchema: { type: "object" } })),
      });
    if (message.method === "tools/call") return call(message, response);
    response.writeHead(message.method === "server/discover" ? 400 : 202).end();
    if (message.method === undefined && typeof message.id === "number") waiting.get(message.id)?.(message);
  };

  const server = createServer((request, response) => {
    // It offers no stream of its own, and goes on with none.
    if (request.method === "GET") response.writeHead(request.headers["last-event-id"] === undefined ? 405 : 404).end();
    else if (request.method === "DELETE") response.writeHead(200).end();
    else void text(request).then((body) => answer(JSON.parse(body) as Got, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    got,
    calls: (tool) => got.filter(({ method, params }) => method === "tools/call" && params?.name === tool).length,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
