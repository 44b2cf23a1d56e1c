import { Client, ProtocolError, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

/** How the gateway answered one call. */
export type CallOutcome =
  | { readonly allowed: true; readonly text: string; readonly structured: unknown; readonly receipt: unknown }
  | { readonly allowed: false; readonly code: string; readonly message: string; readonly receipt: unknown };

/** The official MCP client, with the gateway as its only endpoint. */
export class Agent {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  /** Connects in the era of sessions (`initialize`) or in the stateless one that the client finds by asking. */
  static async connect(mcp: string, token: string, era: "sessions" | "stateless"): Promise<Agent> {
    const client = new Client(
      { name: "demo-agent", version: "1.0.0" },
      { versionNegotiation: { mode: era === "sessions" ? "legacy" : "auto" } },
    );
    await client.connect(
      new StreamableHTTPClientTransport(new URL(mcp), {
        requestInit: { headers: { authorization: `Bearer ${token}` } },
      }),
    );
    return new Agent(client);
  }

  /** The protocol version that was agreed on. */
  get protocolVersion(): string {
    return this.#client.getNegotiatedProtocolVersion() ?? "unknown";
  }

  async tools(): Promise<string[]> {
    return (await this.#client.listTools()).tools.map((tool) => tool.name);
  }

  async call(name: string, args: Record<string, unknown>): Promise<CallOutcome> {
    try {
      const result = await this.#client.callTool({ name, arguments: args });
      const [first] = result.content;
      const text = first?.type === "text" ? first.text : "";
      const receipt = result._meta?.["cmcp.gateway/receipt"];
      const refused = result._meta?.["cmcp.gateway/error"] as { readonly code: string } | undefined;
      if (refused !== undefined) return { allowed: false, code: refused.code, message: text, receipt };
      return { allowed: true, text, structured: result.structuredContent, receipt };
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown;
      const data = thrown.data as { error_code?: string; receipt?: unknown } | undefined;
      return {
        allowed: false,
        code: data?.error_code ?? String(thrown.code),
        message: thrown.message,
        receipt: data?.receipt,
      };
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}
