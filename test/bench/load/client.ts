import { Connection, requestBytes, type Answer } from "./connection.ts";

const VERSION = "2025-11-25";
const INITIALIZE = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: "bench", version: "1.0.0" } },
});
const INITIALIZED = JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" });

function headersOf(token: string): Record<string, string> {
  return {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    authorization: `Bearer ${token}`,
  };
}

/** An MCP client on one connection that sends the same call again and again. */
export class Client {
  readonly #connection: Connection;
  /** What every request of the session carries. */
  headers: Readonly<Record<string, string>>;
  #call: Buffer;
  readonly #body: string;

  constructor(connection: Connection, token: string, body: string, further: Readonly<Record<string, string>> = {}) {
    this.#connection = connection;
    this.headers = { ...headersOf(token), ...further };
    this.#body = body;
    this.#call = requestBytes("POST", this.headers, body);
  }

  /** Opens a session; later calls are made in it. A refusal is returned, and later calls then name no session. */
  async initialize(): Promise<Answer> {
    const answer = await this.#connection.exchange(requestBytes("POST", this.headers, INITIALIZE));
    this.#session = answer.headers.get("mcp-session-id");
    if (this.#session !== undefined) {
      this.headers = { ...this.headers, "mcp-session-id": this.#session, "mcp-protocol-version": VERSION };
      await this.#connection.exchange(requestBytes("POST", this.headers, INITIALIZED));
    }
    this.#call = requestBytes("POST", this.headers, this.#body);
    return answer;
  }

  #session: string | undefined;

  /** One call. */
  call(): Promise<Answer> {
    return this.#connection.exchange(this.#call);
  }

  /** Ends the session and leaves the connection, which others may use. */
  async end(): Promise<void> {
    if (this.#session !== undefined) await this.#connection.exchange(requestBytes("DELETE", this.headers, ""));
  }

  /** Ends the session and the connection. */
  async close(): Promise<void> {
    await this.end();
    this.#connection.close();
  }

  static async connect(port: number, token: string, body: string): Promise<Client> {
    return new Client(await Connection.open(port), token, body);
  }
}

/** Whether an answer is a tool's result. */
export function isResult(answer: Answer): boolean {
  return answer.status === 200 && answer.body.includes('"result":');
}

/** Why an answer is none: the gateway's code, else the HTTP status. */
export function refusalOf(answer: Answer): string {
  return /"error_code":"([A-Z_]+)"/.exec(answer.body)?.[1] ?? `HTTP ${answer.status}`;
}
