import { Client, ProtocolError, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

/** How the gateway answered one call. */
export type CallOutcome =
  | { readonly allowed: true; readonly text: string; readonly structured: unknown; readonly receipt: unknown }
  | {
      readonly allowed: false;
      readonly code: string;
      readonly message: string;
      /** Of a call that waits for a person. */
      readonly approvalId?: string | undefined;
      readonly receipt: unknown;
    };

/** What `_meta["cmcp.gateway/error"]` has. */
interface Refused {
  readonly code: string;
  readonly approval?: { readonly approval_id: string };
}

/** Shortest text that is looked for: a shorter one may stand in any bytes. */
const SHORTEST = 6;

/** The texts in an argument or a result. */
function textsIn(value: unknown): string[] {
  if (typeof value === "string") return value.length < SHORTEST ? [] : [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** The official MCP client, with the gateway as its only endpoint. */
export class Agent {
  readonly #client: Client;
  readonly #said = new Set<string>();

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

  /** The texts of all arguments it sent and all results it was given, in no order. */
  get said(): ReadonlySet<string> {
    return this.#said;
  }

  async tools(): Promise<string[]> {
    return (await this.#client.listTools()).tools.map((tool) => tool.name);
  }

  async call(name: string, args: Record<string, unknown>): Promise<CallOutcome> {
    for (const text of textsIn(args)) this.#said.add(text);
    try {
      const result = await this.#client.callTool({ name, arguments: args });
      const [first] = result.content;
      const text = first?.type === "text" ? first.text : "";
      const receipt = result._meta?.["cmcp.gateway/receipt"];
      const refused = result._meta?.["cmcp.gateway/error"] as Refused | undefined;
      if (refused !== undefined) {
        const { code, approval } = refused;
        return { allowed: false, code, message: text, approvalId: approval?.approval_id, receipt };
      }
      for (const told of textsIn(result.structuredContent ?? text)) this.#said.add(told);
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
