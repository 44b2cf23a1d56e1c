import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { withForeignMembers, type Markers } from "./marker.ts";

/** How an agent speaks: one POST without anything, a session that `initialize` opened, or MCP 2026-07-28. */
export const DIALECTS = ["post", "session", "modern"] as const;
export type Dialect = (typeof DIALECTS)[number];

/** One exchange of an agent: what it got, in order, each message as it was parsed, and all of it as text. */
export interface Exchange {
  readonly status: number;
  readonly messages: readonly JsonObject[];
  readonly raw: string;
}

/** How a request is sent. */
export interface Sending {
  /** Whether members that no shape has stand in its parameters. Without, they stand in `_meta`, capabilities, ids and headers alone. */
  readonly foreign: boolean;
  /** What is answered to a question that is put meanwhile. */
  readonly answer?: JsonObject;
}

const VERSION = "2026-07-28";
const META = "io.modelcontextprotocol";

/** Where an agent's requests go, and what carries them. */
export interface Endpoint {
  readonly mcp: string;
  readonly token: string;
  readonly fetch: typeof globalThis.fetch;
}

/** An agent with a valid token that puts a marker into every place it can choose. */
export class TaintingAgent {
  readonly #endpoint: Endpoint;
  readonly #markers: Markers;
  readonly dialect: Dialect;
  #session: string | null = null;
  #requests = 0;

  constructor(endpoint: Endpoint, dialect: Dialect, markers: Markers) {
    this.#endpoint = endpoint;
    this.dialect = dialect;
    this.#markers = markers;
  }

  /** A marker of a place. */
  readonly mark = (place: string): string => this.#markers.at("agent", place);

  /** Opens its session, where it has one. */
  async open(): Promise<void> {
    if (this.dialect !== "session") return;
    const params = { protocolVersion: "2025-11-25", capabilities: this.#capabilities(), clientInfo: this.#client() };
    const { response } = await this.#post({ jsonrpc: "2.0", id: this.mark("id"), method: "initialize", params }, {});
    this.#session = response.headers.get("mcp-session-id");
    await response.text();
    await this.#post({ jsonrpc: "2.0", method: "notifications/initialized", params: {} }, {});
  }

  /** Sends one request and reads everything that comes back, answering questions meanwhile. */
  async send(method: string, params: JsonObject, sending: Sending): Promise<Exchange> {
    this.#requests += 1;
    const id = `${this.mark("id")}${this.#requests}`;
    const own = this.#dressed(params, sending.foreign);
    const { response } = await this.#post({ jsonrpc: "2.0", id, method, params: own }, this.#headers(method, params));
    const messages: JsonObject[] = [];
    let raw = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    for await (const message of read(response)) {
      raw += `\n${JSON.stringify(message)}`;
      messages.push(message);
      if (typeof message.method === "string" && message.id !== undefined)
        await this.#answer(message.id, sending.answer);
    }
    return { status: response.status, messages, raw };
  }

  async #answer(id: JsonObject[string], answer: JsonObject | undefined): Promise<void> {
    // Members that no answer has, and none in the form: what fills a form that was not asked refuses the whole.
    const result = {
      ...(answer ?? { action: "decline" }),
      unknownMember: this.mark("answer-unknown"),
      _meta: { a: this.mark("answer-meta") },
    };
    const { response } = await this.#post({ jsonrpc: "2.0", id, result }, {});
    await response.text();
  }

  #dressed(params: JsonObject, foreign: boolean): JsonObject {
    const dressed = foreign ? withForeignMembers(params, this.mark) : params;
    const tolerated = withForeignMembers({}, this.mark, "meta")._meta;
    const meta = {
      ...(isJsonObject(tolerated) ? tolerated : {}),
      progressToken: this.mark("token"),
      ...this.#envelope(),
    };
    return { ...dressed, _meta: meta };
  }

  #envelope(): JsonObject {
    if (this.dialect !== "modern") return {};
    return {
      [`${META}/protocolVersion`]: VERSION,
      [`${META}/clientInfo`]: this.#client(),
      [`${META}/clientCapabilities`]: this.#capabilities(),
      [`${META}/logLevel`]: "debug",
    };
  }

  #client(): JsonObject {
    return { name: this.mark("client-name"), version: this.mark("client-version") };
  }

  #capabilities(): JsonObject {
    const known = { elicitation: { form: {} }, extensions: { [`${META}/tasks`]: {} } };
    return withForeignMembers(known, this.mark, "capabilities");
  }

  #headers(method: string, params: JsonObject): Record<string, string> {
    if (this.dialect !== "modern") return {};
    const { name, uri, taskId } = params;
    const named = [name, uri, taskId].find((value) => typeof value === "string");
    return {
      "mcp-protocol-version": VERSION,
      "mcp-method": method,
      "mcp-param-x": this.mark("param-header"),
      ...(typeof named === "string" ? { "mcp-name": named } : {}),
    };
  }

  async #post(message: JsonObject, headers: Record<string, string>): Promise<{ response: Response }> {
    const { mcp, token, fetch } = this.#endpoint;
    const response = await fetch(mcp, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "user-agent": this.mark("user-agent"),
        "x-anything": this.mark("header"),
        ...(this.#session === null ? {} : { "mcp-session-id": this.#session }),
        ...headers,
      },
      body: JSON.stringify(message),
      signal: AbortSignal.timeout(20_000),
    });
    return { response };
  }
}

/** The messages of an answer, be it JSON or an event stream. */
async function* read(response: Response): AsyncGenerator<JsonObject> {
  const decoder = new TextDecoder();
  const streamed = (response.headers.get("content-type") ?? "").startsWith("text/event-stream");
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (!streamed) continue;
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events)
      for (const line of event.split("\n"))
        if (line.startsWith("data: ")) yield JSON.parse(line.slice(6)) as JsonObject;
  }
  if (!streamed && text !== "") yield JSON.parse(text) as JsonObject;
}
