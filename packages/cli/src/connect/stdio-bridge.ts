import {
  asCmcpError,
  CmcpError,
  isJsonObject,
  parseJson,
  untrusted,
  type JsonObject,
  type JsonValue,
} from "@cmcp/boundary";
import type { Connection } from "@cmcp/client";
import { messageHeaders } from "@cmcp/mcp";
import { createParser } from "eventsource-parser";
import { ownError } from "./own-error.ts";

/** Longest line of a client, in bytes: what a gateway takes. */
const LIMITS = { maxBytes: 4 * 1024 * 1024, maxDepth: 64, maxItems: 1_000_000 };
/** Longest event or answer of the gateway, in characters. */
const MAX_ANSWER = 64 * 1024 * 1024;
const ANSWER_LIMITS = { maxBytes: 4 * MAX_ANSWER, maxDepth: 128, maxItems: 4_000_000 };
/** Pause before a stream of notifications that ended is opened again, in milliseconds. */
const REOPEN_MS = 1_000;
/** How long requests that run when the input ends are waited for, in milliseconds. */
export const FINISH_MS = 30_000;
/** The request of the modern era that has no answer until it is left. */
const LISTEN = "subscriptions/listen";

/** What a bridge connects. */
export interface StdioBridgePorts {
  readonly connection: Pick<Connection, "fetch">;
  /** The gateway's MCP endpoint. */
  readonly endpoint: URL;
  /** The bearer token; `null` for none. */
  readonly token: string | null;
  /** Writes one message, without its line end. */
  readonly write: (line: string) => void;
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<unknown>;
}

/**
 * A client that speaks MCP over standard input and output, and an endpoint that speaks it over HTTP: each line is a POST, and what comes
 * back is written as lines. In the era of sessions the bridge keeps the session, and opens the stream of what the server sends by itself.
 */
export class StdioBridge {
  readonly #ports: StdioBridgePorts;
  readonly #ended = new AbortController();
  /** Requests under way, by their JSON-RPC ids as text. */
  readonly #running = new Map<string, AbortController>();
  /** What requests of a session carry; `null` before one was opened, and in the modern era. */
  #session: Readonly<Record<string, string>> | null = null;

  constructor(ports: StdioBridgePorts) {
    this.#ports = ports;
  }

  /**
   * Serves lines until they end, answers what runs then for at most {@link FINISH_MS}, and ends the session. A line that is no JSON is
   * answered with a parse error.
   */
  async run(lines: AsyncIterable<string>): Promise<void> {
    const under = new Set<Promise<void>>();
    for await (const line of lines) {
      if (line.trim() === "") continue;
      const sending = this.#send(line).finally(() => under.delete(sending));
      under.add(sending);
    }
    this.#ended.abort();
    await this.#finish(Promise.allSettled(under));
    if (this.#session !== null)
      await this.#fetch("DELETE", this.#session, {})
        .then(async (answer) => await answer.arrayBuffer())
        .catch(() => {
          // The gateway closes what nobody uses.
        });
  }

  /** Waits for what runs, and gives it up when that takes too long. */
  async #finish(settled: Promise<unknown>): Promise<void> {
    const finished = new AbortController();
    const late = this.#ports.sleep(FINISH_MS, finished.signal).then(
      () => {
        const why = new CmcpError("SEAL_OUTCOME_UNKNOWN", "the input has ended, and the answer did not come in time");
        for (const running of this.#running.values()) running.abort(why);
      },
      () => undefined,
    );
    await settled;
    finished.abort();
    await late;
  }

  async #send(line: string): Promise<void> {
    let message: JsonValue;
    try {
      message = parseJson(untrusted(Buffer.from(line)), LIMITS);
    } catch {
      this.#ports.write('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the line is not JSON"}}');
      return;
    }
    if (!isJsonObject(message)) return await this.#post(line, {}, null);
    const modern = messageHeaders(message);
    if (modern !== null && message.method === "notifications/cancelled") this.#cancel(message);
    await this.#post(line, modern ?? this.#session ?? {}, message);
    if (message.method === "notifications/initialized" && modern === null) void this.#listen();
  }

  /** In the modern era a request is cancelled by leaving its answer. */
  #cancel({ params }: JsonObject): void {
    const id = isJsonObject(params) ? params.requestId : undefined;
    if (id !== undefined) this.#running.get(JSON.stringify(id))?.abort();
  }

  async #post(line: string, headers: Readonly<Record<string, string>>, message: JsonObject | null): Promise<void> {
    const id = message?.id;
    const key = JSON.stringify(id ?? null);
    const running = new AbortController();
    if (id !== undefined) this.#running.set(key, running);
    const signal = message?.method === LISTEN ? AbortSignal.any([running.signal, this.#ended.signal]) : running.signal;
    try {
      const answer = await this.#fetch("POST", headers, { body: line, signal });
      if (message?.method === "initialize") await this.#open(answer);
      else await this.#deliver(answer);
    } catch (thrown) {
      const reason: unknown = signal.aborted ? signal.reason : thrown;
      // Who leaves an answer is not told that it did not come.
      if (id === undefined || (signal.aborted && !(reason instanceof CmcpError))) return;
      this.#ports.write(ownError(id, asCmcpError(reason, "SEAL_OUTCOME_UNKNOWN", "the answer was lost")));
    } finally {
      if (this.#running.get(key) === running) this.#running.delete(key);
    }
  }

  /** Keeps the session that an answer to `initialize` opens, before the client hears of it. */
  async #open(answer: Response): Promise<void> {
    const session = answer.headers.get("mcp-session-id");
    await this.#deliver(answer, (message) => {
      const result = isJsonObject(message) ? message.result : undefined;
      const version = isJsonObject(result) ? result.protocolVersion : undefined;
      this.#session = {
        ...(session === null ? {} : { "mcp-session-id": session }),
        ...(typeof version === "string" ? { "mcp-protocol-version": version } : {}),
      };
    });
  }

  async #deliver(answer: Response, before: (message: JsonValue) => void = () => undefined): Promise<void> {
    const hand = (text: string): void => {
      const message = parseLine(text);
      before(message);
      // Written again, as a line end inside would end the message.
      this.#ports.write(JSON.stringify(message));
    };
    if (answer.body === null) return;
    const isStream = answer.headers.get("content-type")?.startsWith("text/event-stream") === true;
    if (isStream) return await readEvents(answer.body, hand);
    const text = await textOf(answer.body);
    if (text === "") return;
    const parsed = parseLine(text);
    if (isJsonObject(parsed) && parsed.jsonrpc === undefined && !answer.ok)
      throw new CmcpError("GATEWAY_ANSWER_INVALID", refusalOf(parsed, answer.status));
    hand(text);
  }

  /** Hands on what the server sends by itself, for as long as the client is there. */
  async #listen(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      try {
        const answer = await this.#fetch("GET", this.#session ?? {}, { signal });
        if (answer.status === 405 || answer.status === 404) return;
        if (answer.ok && answer.body !== null) await this.#deliver(answer);
      } catch {
        // Opened again below, as clients over HTTP do.
      }
      await this.#ports.sleep(REOPEN_MS, signal).catch(() => undefined);
    }
  }

  async #fetch(
    method: "POST" | "GET" | "DELETE",
    headers: Readonly<Record<string, string>>,
    init: { readonly body?: string; readonly signal?: AbortSignal },
  ): Promise<Response> {
    const { connection, endpoint, token } = this.#ports;
    return await connection.fetch(endpoint, {
      method,
      headers: {
        ...headers,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        accept: method === "GET" ? "text/event-stream" : "application/json, text/event-stream",
        ...(method === "POST" ? { "content-type": "application/json" } : {}),
      },
      ...init,
    });
  }
}

async function readEvents(body: ReadableStream<Uint8Array>, hand: (data: string) => void): Promise<void> {
  let held = 0;
  const parser = createParser({
    onEvent: ({ data }) => {
      held = 0;
      if (data !== "") hand(data);
    },
  });
  const decoder = new TextDecoder();
  for await (const piece of body) {
    held += piece.length;
    if (held > MAX_ANSWER) throw new CmcpError("GATEWAY_ANSWER_INVALID", `an event is longer than ${MAX_ANSWER} bytes`);
    parser.feed(decoder.decode(piece, { stream: true }));
  }
}

/** @throws CmcpError `JSON_*` */
function parseLine(text: string): JsonValue {
  return parseJson(untrusted(Buffer.from(text)), ANSWER_LIMITS);
}

/** What a gateway said beside MCP: its code and reason. */
function refusalOf({ error }: JsonObject, status: number): string {
  const { code, message } = isJsonObject(error) ? error : {};
  return typeof code === "string" && typeof message === "string" ? `${code}: ${message}` : `status ${status}`;
}

async function textOf(body: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of body) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > MAX_ANSWER)
      throw new CmcpError("GATEWAY_ANSWER_INVALID", `an answer is longer than ${MAX_ANSWER} characters`);
  }
  return text;
}
