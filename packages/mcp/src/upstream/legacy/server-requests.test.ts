import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { silentPeer, type Peer } from "../../peer.ts";
import {
  EVENT_STREAM,
  chunk,
  event,
  gone,
  http,
  json,
  reply,
  type ScriptedRequest,
} from "../../testing/scripted-server.ts";
import { faultOf, forever, start } from "../../testing/upstream.ts";

const OK: JsonObject = { content: [{ type: "text", text: "fine" }] };
const CALL = { method: "tools/call", params: { name: "tool", arguments: {} } };
const END = "0\r\n\r\n";
const question = (id: string | number, message = "name?"): JsonObject => ({
  jsonrpc: "2.0",
  id,
  method: "elicitation/create",
  params: { message },
});
const said = (data: string): JsonObject => ({
  jsonrpc: "2.0",
  method: "notifications/message",
  params: { level: "info", data },
});
const takenBack = (requestId: string | number): JsonObject => ({
  jsonrpc: "2.0",
  method: "notifications/cancelled",
  params: { requestId },
});
const answers = ({ message }: ScriptedRequest): boolean => message.method === undefined && message.id !== undefined;

/** An agent that answers when the test says so. */
class Agent {
  readonly asked: {
    readonly message: unknown;
    readonly until: AbortSignal | undefined;
    readonly answer: PromiseWithResolvers<JsonObject>;
  }[] = [];
  readonly heard: unknown[] = [];
  #arrived = Promise.withResolvers<void>();

  readonly peer: Peer = {
    ...silentPeer(forever),
    capabilities: { elicitation: {} },
    input: "ask",
    wantsLog: true,
    notify: async (_, { data }) => void this.heard.push(data),
    ask: async (_, { message = null }, until) => {
      const answer = Promise.withResolvers<JsonObject>();
      this.asked.push({ message, until, answer });
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers<void>();
      return await answer.promise;
    },
  };

  /** Resolves once so many questions were put. */
  async questions(count: number): Promise<void> {
    while (this.asked.length < count) await this.#arrived.promise;
  }
}

test("what a server says, and its result, pass while its question is open; the result ends the question", async (t) => {
  const { client, server } = await start(t, (request, socket) => {
    if (request.method === "GET") socket.write(http(405, {}, ""));
    else if (answers(request)) socket.write(http(202, {}, ""));
    else socket.write(EVENT_STREAM + event(question("q")) + event(said("on")) + event(reply(request, OK)) + END);
  });
  const agent = new Agent();
  assert.deepEqual(await client.request("s", CALL, agent.peer), { kind: "complete", result: OK });
  assert.deepEqual([agent.heard, agent.asked.map(({ until }) => until?.aborted)], [["on"], [true]]);
  const answer = await server.arrival(answers);
  assert.deepEqual(
    [answer.message.id, (answer.message.error as JsonObject).code],
    ["q", -32000],
    "the server, too, need not wait",
  );
});

for (const where of ["on the stream of the request", "on the session's own stream"] as const) {
  test(`a question that a server takes back ${where} is void, is answered nothing, and leaves the others open`, async (t) => {
    const agent = new Agent();
    const standing = where === "on the session's own stream";
    const calling = Promise.withResolvers<{ readonly request: ScriptedRequest; readonly socket: Socket }>();
    const cancel = async (socket: Socket): Promise<void> => {
      await agent.questions(2);
      socket.write(event(takenBack(8)) + event(takenBack(7)));
    };
    const { client, server } = await start(t, (request, socket) => {
      if (request.method === "GET") {
        socket.write(standing ? EVENT_STREAM : http(405, {}, ""));
        if (standing) void cancel(socket);
      } else if (answers(request)) {
        socket.write(http(202, {}, ""));
        void calling.promise.then((call) => call.socket.write(event(reply(call.request, OK)) + END));
      } else {
        socket.write(EVENT_STREAM + event(question(7, "first")) + event(question("7", "second")));
        calling.resolve({ request, socket });
        if (!standing) void cancel(socket);
      }
    });
    const answered = client.request("s", CALL, agent.peer);
    await agent.questions(2);
    const [first, second] = agent.asked;
    if (first?.until?.aborted === false) await once(first.until, "abort");
    assert.deepEqual([first?.message, second?.until?.aborted], ["first", false]);
    second?.answer.resolve({ action: "accept" });
    assert.deepEqual(await answered, { kind: "complete", result: OK });
    first?.answer.resolve({ action: "late" });
    assert.deepEqual(
      server.requests.filter(answers).map(({ message }) => message),
      [{ jsonrpc: "2.0", id: "7", result: { action: "accept" } }],
    );
  });
}

test("a question that comes twice under one id is put once", async (t) => {
  const agent = new Agent();
  const { client } = await start(t, (request, socket) => {
    if (request.method === "GET") socket.write(http(405, {}, ""));
    else if (answers(request)) socket.write(http(202, {}, ""));
    else socket.write(EVENT_STREAM + event(question(1)) + event(question(1)) + event(reply(request, OK)) + END);
  });
  await client.request("s", CALL, agent.peer);
  assert.equal(agent.asked.length, 1);
});

const NO_CHANGES = {
  toolsListChanged: false,
  promptsListChanged: false,
  resourcesListChanged: false,
  resourceSubscriptions: null,
};

test("a question on the session's own stream ends with the call of the agent it was put to", async (t) => {
  const agent = new Agent();
  const listening = Promise.withResolvers<Socket>();
  const { client } = await start(t, (request, socket) => {
    if (request.method === "GET") {
      socket.write(EVENT_STREAM);
      listening.resolve(socket);
    } else if (answers(request)) {
      socket.write(http(202, {}, ""));
    } else {
      void listening.promise.then((own) => own.write(event(question(1))));
      void agent.questions(1).then(() => socket.write(json(reply(request, OK))));
    }
  });
  // Who listens keeps the stream open.
  const leaving = new AbortController();
  const listens = client.listen("s", NO_CHANGES, () => undefined, leaving.signal);
  await listening.promise;
  await client.request("s", CALL, agent.peer);
  assert.deepEqual(
    agent.asked.map(({ until }) => until?.aborted),
    [true],
  );
  leaving.abort();
  await listens;
});

for (const [other, givesUp] of [
  ["runs", false],
  ["was given up and not answered", true],
] as const) {
  test(`while another call of the session ${other}, what names no request on its own stream reaches nobody`, async (t) => {
    const heard: unknown[] = [];
    const agent = new Agent();
    const peer: Peer = {
      ...agent.peer,
      wantsLog: true,
      logLevel: "debug",
      notify: async (_, { data }) => void heard.push(data),
    };
    const listening = Promise.withResolvers<Socket>();
    const { client, server } = await start(t, (request, socket) => {
      const { name } = (request.message.params ?? {}) as JsonObject;
      if (request.method === "GET") {
        socket.write(EVENT_STREAM);
        listening.resolve(socket);
      } else if (name === "tool") {
        const log = { jsonrpc: "2.0", method: "notifications/message", params: { level: "error", data: "of another" } };
        void listening.promise.then((own) => own.write(event(log) + event(question(1))));
        void server
          .arrival(({ message }) => message.error !== undefined)
          .then(() => socket.write(json(reply(request, OK))));
      }
    });
    const leaving = new AbortController();
    const silent = silentPeer(leaving.signal);
    const first = faultOf(client.request("s", { ...CALL, params: { ...CALL.params, name: "other" } }, silent));
    await server.arrival(({ message }) => message.method === "tools/call");
    if (givesUp) {
      leaving.abort();
      await first;
    }
    await client.request("s", CALL, peer);
    assert.deepEqual([heard, agent.asked], [[], []]);
    leaving.abort();
    await first;
  });
}

test("on its own stream a server has no more requests open than within an answer", async (t) => {
  const agent = new Agent();
  const ended = Promise.withResolvers<void>();
  const { client } = await start(t, (request, socket) => {
    if (request.method === "GET") {
      socket.write(EVENT_STREAM + Array.from({ length: 17 }, (_, id) => event(question(id))).join(""));
      void gone(socket).then(ended.resolve);
    } else if (answers(request)) {
      socket.write(http(202, {}, ""));
    } else {
      void ended.promise.then(() => socket.write(json(reply(request, OK))));
    }
  });
  await client.request("s", CALL, agent.peer);
  assert.equal(agent.asked.length, 16);
});

for (const [name, rest] of [
  ["", ""],
  [", also when its stream breaks off meanwhile", END],
] as const) {
  test(`the server's time stands still while its question is open${name}`, async (t) => {
    const agent = new Agent();
    const { client } = await start(
      t,
      (request, socket) => {
        if (request.headers.has("last-event-id")) socket.write(EVENT_STREAM);
        else if (request.method === "GET") socket.write(http(405, {}, ""));
        else if (answers(request)) socket.write(http(202, {}, ""));
        else socket.write(`${EVENT_STREAM}${chunk("retry: 1\nid: e-1\ndata:\n\n")}${event(question(1))}${rest}`);
      },
      { idleMs: 150 },
    );
    const answered = faultOf(client.request("s", CALL, agent.peer));
    await agent.questions(1);
    // Longer than the server may be idle.
    await new Promise((resolve) => setTimeout(resolve, 450));
    agent.asked[0]?.answer.resolve({});
    assert.equal(
      await Promise.race([
        answered.then(({ code }) => code),
        new Promise((resolve) => setTimeout(resolve, 20, "still waits")),
      ]),
      "still waits",
    );
    assert.equal((await answered).code, "UPSTREAM_TIMEOUT", "from then on it counts");
  });
}

test("a stream that stays open after the result is dropped, whatever was asked on it", async (t) => {
  let dropped: Promise<unknown> = Promise.resolve();
  const { client } = await start(t, (request, socket) => {
    if (request.method === "GET") return void socket.write(http(405, {}, ""));
    if (answers(request)) return void socket.write(http(202, {}, ""));
    dropped = gone(socket);
    return void socket.write(EVENT_STREAM + event(question(1)) + event(reply(request, OK)));
  });
  await client.request("s", CALL, new Agent().peer);
  await dropped;
});

test("a server that asks what the agent did not declare is answered by the protocol's own words, and the agent is not asked", async (t) => {
  const { client, server } = await start(t, (request, socket) => {
    if (request.method === "GET") socket.write(http(405, {}, ""));
    else if (answers(request)) socket.write(http(202, {}, ""));
    else
      socket.write(
        EVENT_STREAM +
          event({ ...question(1), params: { mode: "url", url: "https://tools.example/" } }) +
          event({ ...question(2), method: "sampling/createMessage" }) +
          event(reply(request, OK)) +
          END,
      );
  });
  const agent = new Agent();
  await client.request("s", CALL, agent.peer);
  const codes = [];
  for (const id of [1, 2])
    codes.push(
      ((await server.arrival((request) => answers(request) && request.message.id === id)).message.error as JsonObject)
        .code,
    );
  assert.deepEqual([codes, agent.asked], [[-32602, -32601], []]);
});

test("a legacy server is not told that it could ask an agent that is asked by the answer to its request, and its questions are not put", async (t) => {
  const { client, server } = await start(t, (request, socket) => {
    if (request.method === "GET") socket.write(http(405, {}, ""));
    else if (answers(request)) socket.write(http(202, {}, ""));
    else socket.write(EVENT_STREAM + event(question(1)) + event(said("on")) + event(reply(request, OK)) + END);
  });
  const agent = new Agent();
  await client.request("s", CALL, {
    ...agent.peer,
    input: "retry",
    capabilities: { elicitation: {}, sampling: {}, roots: {}, extensions: { "io.modelcontextprotocol/tasks": {} } },
  });
  const opened = server.requests.find(({ message }) => message.method === "initialize")?.message.params as JsonObject;
  const answer = await server.arrival(answers);
  assert.deepEqual(
    [opened.capabilities, (answer.message.error as JsonObject).code, agent.asked, agent.heard],
    [{}, -32601, [], ["on"]],
  );
});
