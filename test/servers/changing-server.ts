import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A tool server whose one tool's definition a test can change while it runs. */
export interface ChangingServer {
  readonly url: string;
  /** Members to lay over the tool's first definition; `null` withdraws the tool. */
  change(members: object | null): void;
  /** Stops answering `tools/list`. */
  silence(): void;
  /** Says on every open event stream that its tools changed; how many streams there were. */
  announce(): number;
  /** The Authorization header of every request, in order. */
  readonly authorizations: readonly (string | undefined)[];
  /** How many calls reached it. */
  calls(): number;
  close(): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly method: string;
}

/**
 * Starts a minimal MCP server of the session era with one tool, described by its name and a full stop.
 * @param options.streams whether it has an event stream of its own to say things on
 */
export async function startChangingServer(
  name: string,
  { streams = false }: { readonly streams?: boolean } = {},
): Promise<ChangingServer> {
  const first = { name, description: `${name}.`, inputSchema: { type: "object" } };
  let tools: object[] = [first];
  let silent = false;
  let calls = 0;
  const authorizations: (string | undefined)[] = [];
  const listeners = new Set<ServerResponse>();

  const listen = (response: ServerResponse): void => {
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    listeners.add(response);
    response.on("close", () => listeners.delete(response));
  };

  const answer = (message: Message, response: ServerResponse): void => {
    const send = (result: object): void => {
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result }));
    };
    switch (message.method) {
      case "initialize":
        return send({
          protocolVersion: "2025-11-25",
          capabilities: { tools: {} },
          serverInfo: { name: "changing", version: "1" },
        });
      case "tools/list":
        return silent ? undefined : send({ tools });
      case "tools/call":
        calls += 1;
        return send({ content: [{ type: "text", text: "found" }] });
      default:
        response.writeHead(message.id === undefined ? 202 : 400).end();
    }
  };

  const server = createServer((request, response) => {
    authorizations.push(request.headers.authorization);
    if (request.method === "GET" && streams) return listen(response);
    if (request.method !== "POST") {
      response.writeHead(405).end();
      return;
    }
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => answer(JSON.parse(body) as Message, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    change: (members) => {
      tools = members === null ? [] : [{ ...first, ...members }];
    },
    silence: () => {
      silent = true;
    },
    announce: () => {
      for (const response of listeners)
        response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })}\n\n`);
      return listeners.size;
    },
    authorizations,
    calls: () => calls,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
