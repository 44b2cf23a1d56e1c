/** The agent's side of every example: the official MCP client, with the gateway as its only endpoint. */
import { writeFile } from "node:fs/promises";
import process from "node:process";
import { Client, ProtocolError, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

/** What the gateway adds to every answer, and to the data of every refusal. */
interface GatewayMeta {
  readonly "cmcp.gateway/receipt"?: { readonly session_id: string };
  readonly "cmcp.gateway/error"?: { readonly code: string };
}

/** An agent with the gateway's URL in `CMCP_URL`. */
export class Agent {
  readonly #client: Client;
  readonly #token: string;
  #session = "";

  private constructor(client: Client, token: string) {
    this.#client = client;
    this.#token = token;
  }

  /** Connects with a principal's token. */
  static async connect(token: string): Promise<Agent> {
    const client = new Client({ name: "example-agent", version: "1.0.0" }, { versionNegotiation: { mode: "legacy" } });
    const headers = { authorization: `Bearer ${token}` };
    await client.connect(
      new StreamableHTTPClientTransport(new URL(setting("CMCP_URL", "/mcp")), { requestInit: { headers } }),
    );
    return new Agent(client, token);
  }

  /** Makes a request, and prints what came of it: what `read` finds in the result, or the code of the refusal. */
  async request<R extends { readonly _meta?: unknown }>(
    what: string,
    send: (client: Client) => Promise<R>,
    read: (result: R) => string,
  ): Promise<void> {
    try {
      const result = await send(this.#client);
      const meta = (result._meta ?? {}) as GatewayMeta;
      this.#session = meta["cmcp.gateway/receipt"]?.session_id ?? this.#session;
      // A refused tool call is a result, so that a model reads why.
      const refused = meta["cmcp.gateway/error"];
      print(what, refused === undefined ? read(result) : `refused, ${refused.code}`);
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown;
      const data = thrown.data as { readonly error_code?: string } | undefined;
      print(what, `refused, ${data?.error_code ?? thrown.code}`);
    }
  }

  /** Calls a tool, and prints the first text of its result. */
  async call(name: string, args: Record<string, unknown>): Promise<void> {
    await this.request(
      name,
      (client) => client.callTool({ name, arguments: args }),
      ({ content, structuredContent }) => {
        const [first] = content;
        return structuredContent === undefined && first?.type === "text"
          ? first.text
          : JSON.stringify(structuredContent);
      },
    );
  }

  /** Ends the session, and writes its claim and audit bundle for an auditor. */
  async close(): Promise<void> {
    const headers = { authorization: `Bearer ${this.#token}` };
    const claim = await fetch(setting("CMCP_URL", `/sessions/${this.#session}/close`), { method: "POST", headers });
    await writeFile("claim.json", await claim.text());
    const bundle = await fetch(setting("CMCP_URL", `/audit/export?session_id=${this.#session}`), { headers });
    await writeFile("audit-bundle.json", await bundle.text());
    await this.#client.close();
  }
}

/** A variable that the example's start sets, with something behind it. */
export function setting(name: string, suffix = ""): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: start the example with make example`);
  return value + suffix;
}

function print(what: string, outcome: string): void {
  process.stdout.write(`${what}: ${outcome}\n`);
}
