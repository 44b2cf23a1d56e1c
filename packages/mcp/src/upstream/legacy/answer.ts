import type { IncomingHttpHeaders } from "node:http";
import { DEFAULT_JSON_LIMITS, asCmcpError, parseJson, parseJsonText, untrusted, type JsonValue } from "@cmcp/boundary";
import { createParser } from "eventsource-parser";
import { readMessage, type RpcMessage } from "../../jsonrpc/message.ts";
import type { HttpExchange } from "../exchange.ts";
import { protocolFault } from "../fault.ts";

function toMessage(parse: () => JsonValue): RpcMessage {
  try {
    return readMessage(parse());
  } catch (thrown) {
    const cause = asCmcpError(thrown, "JSON_SYNTAX", "not JSON");
    throw protocolFault(`the tool server sent something that is not an MCP message: ${cause.message}`, { cause_code: cause.code }, cause);
  }
}

/** `type/subtype`, lowercased, without parameters; a header that stands twice is none. */
function mediaType(header: string | string[] | undefined): string {
  return typeof header === "string" ? (header.split(";", 1)[0] ?? "").trim().toLowerCase() : "";
}

/** Messages of an event stream (HTML Living Standard, section 9.2.6), in order. */
async function* streamed(exchange: HttpExchange, maxBytes: number): AsyncGenerator<RpcMessage> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let events: string[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => {
      // Other event types carry no MCP message; an empty one only gives the stream an id.
      if ((event ?? "message") === "message" && data !== "") events.push(data);
    },
  });
  for (let chunk = await exchange.read(); chunk !== null; chunk = await exchange.read()) {
    try {
      parser.feed(decoder.decode(chunk, { stream: true }));
    } catch (thrown) {
      throw protocolFault("the tool server's event stream is not UTF-8", {}, thrown);
    }
    for (const data of events) yield toMessage(() => parseJsonText(data, { ...DEFAULT_JSON_LIMITS, maxBytes }));
    events = [];
  }
}

/**
 * The messages a tool server answers a request with: one as JSON, or an event stream of them.
 *
 * @throws CmcpError `UPSTREAM_PROTOCOL_ERROR` for any other content, and for what is not strict JSON-RPC.
 */
export async function* readAnswer(exchange: HttpExchange, headers: IncomingHttpHeaders, maxBytes: number): AsyncGenerator<RpcMessage> {
  // Nothing compressed was asked for, and a size limit on bytes says nothing about what they unpack to.
  if ((headers["content-encoding"] ?? "identity") !== "identity") throw protocolFault("the tool server compressed its answer");
  const type = mediaType(headers["content-type"]);
  if (type === "text/event-stream") {
    yield* streamed(exchange, maxBytes);
  } else if (type === "application/json") {
    const bytes = await exchange.readAll();
    yield toMessage(() => parseJson(untrusted(bytes), { ...DEFAULT_JSON_LIMITS, maxBytes }));
  } else {
    throw protocolFault("the tool server's answer is neither JSON nor an event stream");
  }
}
