import { asCmcpError, CmcpError, isJsonObject, parseJson, untrusted, type JsonObject } from "@cmcp/boundary";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { MAX_ANSWER, type AnswerCheck } from "./answer-check.ts";
import { collect, streamOf } from "./bytes.ts";

const LIMITS = { maxBytes: 4 * MAX_ANSWER, maxDepth: 128, maxItems: 4_000_000 };

/**
 * An answer whose messages are handed on only when they passed: one by one where it is a stream, and the last never before it was held to
 * the receipt. What fails rejects, or ends the stream with the error.
 */
export async function checkedResponse(answer: Response, check: AnswerCheck): Promise<Response> {
  if (answer.body === null) return answer;
  const { status, headers } = answer;
  if (headers.get("content-type")?.startsWith("text/event-stream") === true)
    return new Response(streamOf(checkedEvents(answer.body, check)), { status, headers });
  const bytes = await collect(answer.body, 4 * MAX_ANSWER);
  if (bytes === null) throw new CmcpError("GATEWAY_ANSWER_INVALID", `an answer is longer than ${4 * MAX_ANSWER} bytes`);
  if (bytes.length > 0) await check.take(messageIn(bytes));
  return new Response(bytes, { status, headers });
}

async function* checkedEvents(
  body: AsyncIterable<Uint8Array>,
  check: AnswerCheck,
): AsyncGenerator<Uint8Array, void, void> {
  const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
  const waiting: (EventSourceMessage | string)[] = [];
  let held = 0;
  const parser = createParser({
    onEvent: (event) => waiting.push(event),
    onComment: (comment) => waiting.push(comment),
  });
  for await (const piece of body) {
    held += piece.length;
    if (held > 4 * MAX_ANSWER)
      throw new CmcpError("GATEWAY_ANSWER_INVALID", `an event is longer than ${4 * MAX_ANSWER} bytes`);
    parser.feed(decoder.decode(piece, { stream: true }));
    for (const one of waiting.splice(0)) {
      held = 0;
      if (typeof one !== "string" && one.data !== "") await check.take(messageIn(encoder.encode(one.data)));
      yield encoder.encode(textOf(one));
    }
  }
}

/** An event, or a comment, as a stream has it (HTML Living Standard, section 9.2.5). */
function textOf(one: EventSourceMessage | string): string {
  if (typeof one === "string") return `:${one}\n\n`;
  const { event, id, data } = one;
  const lines = data.split("\n").map((line) => `data: ${line}\n`);
  return [event === undefined ? "" : `event: ${event}\n`, id === undefined ? "" : `id: ${id}\n`, ...lines, "\n"].join(
    "",
  );
}

/** @throws CmcpError `GATEWAY_ANSWER_INVALID` */
function messageIn(bytes: Uint8Array): JsonObject {
  try {
    const message = parseJson(untrusted(bytes), LIMITS);
    if (isJsonObject(message)) return message;
  } catch (thrown) {
    throw new CmcpError(
      "GATEWAY_ANSWER_INVALID",
      `an answer cannot be read: ${asCmcpError(thrown, "JSON_SYNTAX", "it is not JSON").message}`,
      { cause: thrown },
    );
  }
  throw new CmcpError("GATEWAY_ANSWER_INVALID", "an answer is not a JSON-RPC message");
}
