import type { IncomingHttpHeaders } from "node:http";
import { CmcpError, untrusted } from "@cmcp/boundary";
import { createParser } from "eventsource-parser";
import type { RequestId, RpcMessage } from "../jsonrpc/message.ts";
import type { HttpExchange, ResponseHead } from "./exchange.ts";
import { protocolFault, upstreamFault } from "./fault.ts";
import { readMessages } from "./message-batch.ts";
import { UpstreamRefusal } from "./refusal.ts";

/** `type/subtype`, lowercased, without parameters; a duplicate header counts as absent. */
function mediaType(header: string | string[] | undefined): string {
  return typeof header === "string" ? (header.split(";", 1)[0] ?? "").trim().toLowerCase() : "";
}

/** Where an event stream broke off: what goes on with it (HTML Living Standard, section 9.2.4). */
export interface StreamPosition {
  lastEventId: string | null;
  /** Milliseconds the server wants a client to wait; `null` when it did not say. */
  retryMs: number | null;
}

/** Longest event id that is sent back, in characters. */
const MAX_EVENT_ID = 1024;

/** One event of a stream: an MCP message, or something else by its name. */
export type StreamEvent =
  | { readonly kind: "message"; readonly message: RpcMessage }
  | { readonly kind: "other"; readonly name: string; readonly data: string };

/** How an answer is read. */
export interface ReadOptions {
  /** Where a stream is, kept up to date. */
  readonly position?: StreamPosition;
  /** Whether the server's version has batches; looked at anew for every piece. */
  readonly batches?: boolean;
}

/** What ends an event; of a stream that has sent one the parser keeps nothing that came before. */
const BLANK_LINE = /\n\r?\n|\r\r/;

/** Events of an event stream (HTML Living Standard, section 9.2.6), in order. */
async function* events(exchange: HttpExchange, maxBytes: number, reading: ReadOptions): AsyncGenerator<StreamEvent> {
  const { position = { lastEventId: null, retryMs: null } } = reading;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let waiting: { readonly name: string; readonly data: string }[] = [];
  const parser = createParser({
    onRetry: (ms) => {
      position.retryMs = ms;
    },
    onEvent: ({ event, data, id }) => {
      if (id !== undefined && id.length <= MAX_EVENT_ID && /^[\x20-\x7e]+$/.test(id)) position.lastEventId = id;
      // An empty one only gives the stream an id.
      if (data !== "") waiting.push({ name: event ?? "message", data });
    },
  });
  for (let chunk = await exchange.read(); chunk !== null; chunk = await exchange.read()) {
    let text: string;
    try {
      text = decoder.decode(chunk, { stream: true });
      parser.feed(text);
    } catch (thrown) {
      throw protocolFault("the tool server's event stream is not UTF-8", {}, thrown);
    }
    const read = waiting;
    waiting = [];
    for (const { name, data } of read) {
      if (name !== "message") yield { kind: "other", name, data };
      else
        for (const message of readMessages(data, maxBytes, reading.batches ?? false))
          yield { kind: "message", message };
    }
    // After the events were taken, which may wait for a slow agent.
    if (BLANK_LINE.test(text)) exchange.consumed();
  }
}

/** Every event of a stream. @param reading of its messages @throws CmcpError `UPSTREAM_PROTOCOL_ERROR` for any other content */
export async function* readEvents(
  exchange: HttpExchange,
  headers: IncomingHttpHeaders,
  maxBytes: number,
  reading: ReadOptions,
): AsyncGenerator<StreamEvent> {
  if (mediaType(headers["content-type"]) !== "text/event-stream")
    throw protocolFault("the tool server's answer is not an event stream");
  yield* events(exchange, maxBytes, reading);
}

/** The messages of an event stream; other event types carry none. */
async function* streamMessages(
  exchange: HttpExchange,
  maxBytes: number,
  reading: ReadOptions,
): AsyncGenerator<RpcMessage> {
  for await (const event of events(exchange, maxBytes, reading)) if (event.kind === "message") yield event.message;
}

/**
 * The messages a tool server answers a request with: one as JSON, or an event stream of them; with batches, several in one piece.
 *
 * @throws CmcpError `UPSTREAM_PROTOCOL_ERROR` for any other content, and for what is not strict JSON-RPC.
 */
export async function* readAnswer(
  exchange: HttpExchange,
  headers: IncomingHttpHeaders,
  maxBytes: number,
  reading: ReadOptions = {},
): AsyncGenerator<RpcMessage> {
  // Nothing compressed was asked for, and a size limit on bytes says nothing about what they unpack to.
  if ((headers["content-encoding"] ?? "identity") !== "identity")
    throw protocolFault("the tool server compressed its answer");
  const type = mediaType(headers["content-type"]);
  if (type === "text/event-stream") {
    yield* streamMessages(exchange, maxBytes, reading);
  } else if (type === "application/json") {
    for (const message of readMessages(untrusted(await exchange.readAll()), maxBytes, reading.batches ?? false))
      yield message;
  } else {
    throw protocolFault("the tool server's answer is neither JSON nor an event stream");
  }
}

/**
 * The fault of an answer that is not HTTP 200. A 4xx may carry the JSON-RPC error that refused the request;
 * redirects are among the rest: one would lead away from the server that was approved.
 */
export async function readRefusal(
  exchange: HttpExchange,
  { status, headers }: ResponseHead,
  id: RequestId,
  maxBytes: number,
): Promise<CmcpError> {
  if (status === 502 || status === 503 || status === 504) {
    return upstreamFault("UPSTREAM_UNAVAILABLE", `the tool server answered HTTP ${status}`, true, {
      detail: { status },
    });
  }
  const unexplained = protocolFault(`the tool server answered HTTP ${status}`, { status });
  if (status < 400 || status > 499) return unexplained;
  try {
    for await (const message of readAnswer(exchange, headers, maxBytes)) {
      // A server that could not make sense of the request could not read its id either.
      if (message.kind === "failure" && (message.id === id || message.id === null))
        return new UpstreamRefusal(message.error, { status });
      return unexplained;
    }
  } catch (thrown) {
    if (!(thrown instanceof CmcpError) || thrown.code !== "UPSTREAM_PROTOCOL_ERROR") throw thrown;
  }
  return unexplained;
}
