import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import type { ServerCertificate } from "../servers/certificate.ts";
import { withForeignMembers, type Markers } from "./marker.ts";
import { offersOf, type ServerEra } from "./offers.ts";
import { outcomeOf, type Outcome } from "./outcomes.ts";
import { answerOf, beforeAnswer, type Said } from "./said.ts";

/** One message a server got, as it came. */
export interface Received {
  readonly method: string | null;
  readonly message: JsonObject;
  /** Head and body as text, in which markers are looked for. */
  readonly raw: string;
}

/** A tool server that puts a marker into every free place of everything it says, and keeps everything it hears. */
export interface TaintingServer {
  readonly era: ServerEra;
  readonly url: string;
  readonly received: Received[];
  /** Whether foreign members stand in what it says; only then is it free of any shape. */
  foreign: boolean;
  close(): Promise<void>;
}

const TASKS = "io.modelcontextprotocol/tasks";

/**
 * Starts one, over TLS where it is given a certificate. A question that is put to an agent of the legacy era waits
 * for its answer on the connection it was put on.
 */
export async function startTaintingServer(
  era: ServerEra,
  markers: Markers,
  certificate: ServerCertificate | null = null,
): Promise<TaintingServer> {
  const received: Received[] = [];
  const waiting = new Map<string, () => void>();
  const tasks = new Map<string, Outcome>();
  const server: { foreign: boolean } = { foreign: true };
  const mark = (place: string): string => markers.at("server", place);
  const dressed = (message: JsonObject, path: string): JsonObject =>
    server.foreign && path !== "" ? withForeignMembers(message, mark, path) : message;
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => void serve(request, response);
  const listener =
    certificate === null
      ? createServer(onRequest)
      : createTlsServer({ cert: certificate.cert, key: certificate.key }, onRequest);

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "POST") {
      response.writeHead(405).end();
      return;
    }
    const body = await text(request);
    const message = JSON.parse(body) as JsonObject;
    const method = typeof message.method === "string" ? message.method : null;
    received.push({ method, message, raw: `${JSON.stringify(request.headers)}\n${body}` });
    if (method === null || message.id === undefined) {
      if (method === null && typeof message.id === "string") waiting.get(message.id)?.();
      response.writeHead(202).end();
      return;
    }
    const params = isJsonObject(message.params) ? message.params : {};
    const session = { "mcp-session-id": "one" };
    const answer = (result: Said, path: string): void => {
      const reply =
        "result" in result ? { result: dressed(result.result, path) } : { error: dressed(result.error, path) };
      response.end(`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", id: message.id, ...reply })}\n\n`);
    };
    response.writeHead(200, { "content-type": "text/event-stream", ...(era === "legacy" ? session : {}) });
    const known = await saidTo(method, params, response);
    if (known === null) response.destroy();
    else answer(known.said, known.path);
  }

  async function saidTo(
    method: string,
    params: JsonObject,
    response: ServerResponse,
  ): Promise<{ said: Said; path: string } | null> {
    const list = offersOf(era)[method];
    if (list !== undefined) return { said: { result: listWith(list, mark) }, path: "" };
    if (method === "initialize" || method === "server/discover")
      return { said: { result: greeting(era, params) }, path: "greeting" };
    const outcome = outcomeFor(params);
    for (const said of beforeAnswer(params, mark)) write(response, { ...said, params: dressed(said.params, "before") });
    // It ends in the middle of its answer.
    if (outcome === "fault") return null;
    if (era === "legacy" && (outcome === "question" || outcome === "asking") && method !== "tasks/cancel")
      await ask(response, params);
    const made = { id: randomUUID(), tasks };
    return { said: answerOf({ era, method, params, outcome, made }, mark), path: `answer-${outcome}` };
  }

  function outcomeFor(params: JsonObject): Outcome {
    const { name, uri, ref, taskId } = params;
    if (typeof taskId === "string") return tasks.get(taskId) ?? "error";
    const about = isJsonObject(ref) ? (ref.name ?? ref.uri) : (name ?? uri);
    return (typeof about === "string" ? outcomeOf(about) : null) ?? "result";
  }

  function write(response: ServerResponse, message: JsonObject): void {
    response.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`);
  }

  async function ask(response: ServerResponse, params: JsonObject): Promise<void> {
    if (params.task !== undefined) return;
    const id = randomUUID();
    const answered = new Promise<void>((resolve) => {
      waiting.set(id, resolve);
      setTimeout(resolve, 2_000).unref();
    });
    const question = { mode: "form", message: mark("question-message"), requestedSchema: QUESTION_SCHEMA };
    write(response, { id, method: "elicitation/create", params: dressed(question, "question") });
    await answered;
  }

  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    era,
    url: `${certificate === null ? "http" : "https"}://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`,
    received,
    get foreign() {
      return server.foreign;
    },
    set foreign(foreign: boolean) {
      server.foreign = foreign;
    },
    close: async () => {
      listener.closeAllConnections();
      listener.close();
      await once(listener, "close");
    },
  };
}

/** A list whose items each have members that are no part of what is approved. A member inside a schema would be another schema. */
function listWith(list: JsonObject, mark: (place: string) => string): JsonObject {
  const items = Object.entries(list).map(([name, listed]) => {
    const dressed = (Array.isArray(listed) ? listed : []).map((item) => ({
      ...(isJsonObject(item) ? item : {}),
      unknownMember: mark("list-unknown"),
      _meta: { "com.example/vendor": mark("list-meta") },
    }));
    return [name, dressed] as const;
  });
  return { ...Object.fromEntries(items), unknownMember: mark("page-unknown"), _meta: { vendor: mark("page-meta") } };
}

/** What an agent is asked for. */
export const QUESTION_SCHEMA: JsonObject = { type: "object", properties: { answer: { type: "string" } } };

function greeting(era: ServerEra, params: JsonObject): JsonObject {
  const offers = {
    tools: { listChanged: true },
    resources: { subscribe: true },
    prompts: {},
    completions: {},
    logging: {},
  };
  if (era === "modern")
    return {
      supportedVersions: ["2026-07-28"],
      capabilities: { ...offers, extensions: { [TASKS]: {} } },
      ttlMs: 0,
      cacheScope: "private",
    };
  return {
    protocolVersion: params.protocolVersion ?? "2025-11-25",
    capabilities: { ...offers, tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
    serverInfo: { name: "tainting", version: "1" },
  };
}
