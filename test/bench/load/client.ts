import { Connection, requestBytes, type Answer } from "./connection.ts";

const VERSION = "2025-11-25";
/** Opens a session, and says that it is open. */
export const INITIALIZE = JSON.stringify({
  jsonrpc: "2.0",
  id: "open",
  method: "initialize",
  params: { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: "bench", version: "1.0.0" } },
});
export const INITIALIZED = JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" });

/** What every request of a principal carries. */
export function mcpHeaders(token: string): Record<string, string> {
  return {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    authorization: `Bearer ${token}`,
  };
}

/** What every request of a session carries beside that. */
export function sessionHeaders(handle: string): Record<string, string> {
  return { "mcp-session-id": handle, "mcp-protocol-version": VERSION };
}

/** An MCP session on a connection, which others may share. */
export class Client {
  readonly #connection: Connection;
  /** What every request of the session carries. */
  headers: Readonly<Record<string, string>>;
  #session: string | undefined;

  constructor(connection: Connection, token: string, further: Readonly<Record<string, string>> = {}) {
    this.#connection = connection;
    this.headers = { ...mcpHeaders(token), ...further };
  }

  /** Opens a session; later calls are made in it. A refusal is returned, and later calls then name no session. */
  async initialize(): Promise<Answer> {
    const answer = await this.#connection.exchange(requestBytes("POST", this.headers, INITIALIZE));
    this.#session = answer.headers.get("mcp-session-id");
    if (this.#session !== undefined) {
      this.join(this.#session);
      await this.#connection.exchange(requestBytes("POST", this.headers, INITIALIZED));
    }
    return answer;
  }

  /** Goes on in a session that is open. */
  join(handle: string): this {
    this.headers = { ...this.headers, ...sessionHeaders(handle) };
    return this;
  }

  /** The handle of the session that was opened. */
  get handle(): string | undefined {
    return this.#session;
  }

  /** One request to `/mcp`. */
  send(body: string): Promise<Answer> {
    return this.#connection.exchange(requestBytes("POST", this.headers, body));
  }

  /** One call. @throws Error when it is answered with anything but a result */
  async call(body: string): Promise<void> {
    const answer = await this.send(body);
    if (!isResult(answer)) throw new Error(`a call was answered ${answer.status} ${refusalOf(answer)}`);
  }

  /** Ends the session and leaves the connection. */
  async end(): Promise<void> {
    if (this.#session !== undefined) await this.#connection.exchange(requestBytes("DELETE", this.headers, ""));
  }
}

/** Whether an answer is a tool's result, and not a refusal in the form of one. */
export function isResult(answer: Answer): boolean {
  return answer.status === 200 && answer.body.includes('"result":') && !answer.body.includes('"isError":true');
}

/** Why an answer is none: the gateway's code, else the HTTP status. */
export function refusalOf(answer: Answer): string {
  return /"(?:error_)?code":"([A-Z_]+)"/.exec(answer.body)?.[1] ?? `HTTP ${answer.status}`;
}
