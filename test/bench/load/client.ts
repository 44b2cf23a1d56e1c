import { Connection, requestBytes, type Answer } from "./connection.ts";

const VERSION = "2025-11-25";
const INITIALIZE = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: "bench", version: "1.0.0" } } });
const INITIALIZED = JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" });

function headersOf(token: string): Record<string, string> {
  return { "content-type": "application/json", accept: "application/json, text/event-stream", authorization: `Bearer ${token}` };
}

/** An MCP client on one connection that sends the same call again and again. */
export class Client {
  readonly #connection: Connection;
  readonly #headers: Record<string, string>;
  #call: Buffer;
  readonly #body: string;

  constructor(connection: Connection, token: string, body: string) {
    this.#connection = connection;
    this.#headers = headersOf(token);
    this.#body = body;
    this.#call = requestBytes("POST", this.#headers, body);
  }

  /** Opens a session; later calls are made in it. A refusal is returned, and later calls then name no session. */
  async initialize(): Promise<Answer> {
    const answer = await this.#connection.exchange(requestBytes("POST", this.#headers, INITIALIZE));
    const session = answer.headers.get("mcp-session-id");
    const headers = session === undefined ? this.#headers : { ...this.#headers, "mcp-session-id": session, "mcp-protocol-version": VERSION };
    if (session !== undefined) await this.#connection.exchange(requestBytes("POST", headers, INITIALIZED));
    this.#call = requestBytes("POST", headers, this.#body);
    this.#session = session;
    return answer;
  }

  #session: string | undefined;

  /** One call. */
  call(): Promise<Answer> {
    return this.#connection.exchange(this.#call);
  }

  /** Ends the session and the connection. */
  async close(): Promise<void> {
    if (this.#session !== undefined) await this.#connection.exchange(requestBytes("DELETE", { ...this.#headers, "mcp-session-id": this.#session }, ""));
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
