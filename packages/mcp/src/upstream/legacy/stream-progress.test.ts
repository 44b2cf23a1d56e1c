import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { EVENT_STREAM, http, json, reply, type ScriptedRequest } from "../../testing/scripted-server.ts";
import { faultOf, start } from "../../testing/upstream.ts";
import {
  answers,
  askableParams,
  asks,
  call,
  note,
  OK,
  question,
  router,
  serve,
  tokenOf,
} from "../../testing/own-stream.ts";

test("progress on the session's own stream reaches the call that was given its token, and no other", async (t) => {
  const tokens = new Map<unknown, JsonObject[string]>();
  const { client } = await serve(t, (request, _, own) => {
    tokens.set((request.message.params as JsonObject).name, tokenOf(request));
    const [first = null, second = null] = [tokens.get("first"), tokens.get("second")];
    const say = (progressToken: JsonObject[string], progress: JsonObject[string]): string =>
      note("progress", { progressToken, progress });
    if (tokens.size === 2)
      own.write(say(first, 1) + say(second, 2) + say("none", 3) + say(second, "four") + say(second, 5));
  });
  const leaving = new AbortController();
  const heard: unknown[] = [];
  const done = Promise.withResolvers<void>();
  const first = faultOf(
    client.request(
      "s",
      call("first"),
      router((said) => heard.push(["first", said]), leaving.signal),
    ),
  );
  const second = faultOf(
    client.request(
      "s",
      call("second"),
      router((said) => {
        heard.push(["second", said]);
        if (said.progress === 5) done.resolve();
      }, leaving.signal),
    ),
  );
  await done.promise;
  leaving.abort();
  await Promise.all([first, second]);
  assert.deepEqual(heard, [
    ["first", { progress: 1 }],
    ["second", { progress: 2 }],
    ["second", { progress: 5 }],
  ]);
});

test("progress of another session's call is not that call's, though its token is known", async (t) => {
  const sessions = new Map<unknown, Socket>();
  let token: JsonObject[string] = null;
  const { client, server } = await start(t, (request, socket) => {
    const session = request.headers.get("mcp-session-id");
    if (request.method === "GET") {
      socket.write(EVENT_STREAM);
      sessions.set(session, socket);
    } else if (answers(request)) {
      socket.write(http(202, {}, ""));
    } else if ((request.message.params as JsonObject).name === "waits") {
      token = tokenOf(request);
    } else {
      // Said in the other session first; what is asked there, after it, shows that it was read.
      sessions.get(session)?.write(note("progress", { progressToken: token, progress: 1 }) + question);
      void server.arrival(answers).then(() => socket.write(json(reply(request, OK))));
    }
  });
  const leaving = new AbortController();
  const heard: unknown[] = [];
  const waits = faultOf(
    client.request(
      "s",
      call("waits"),
      router((said) => heard.push(said), leaving.signal),
    ),
  );
  await server.arrival((request) => asks(request, "tools/call"));
  await client.request("t", call("other"), askableParams());
  leaving.abort();
  await waits;
  assert.deepEqual(heard, []);
});

test("a flood of progress on the session's own stream ends the call, as on the call's own, and no other", async (t) => {
  const tokens: JsonObject[string][] = [];
  const release = Promise.withResolvers<void>();
  const { client, server } = await serve(t, (request, socket, own) => {
    tokens.push(tokenOf(request));
    if (tokens.length < 2) return;
    own.write(
      Array.from({ length: 10_001 }, (_, progress) =>
        note("progress", { progressToken: tokens[0] ?? null, progress }),
      ).join(""),
    );
    void release.promise.then(() => socket.write(json(reply(request, OK))));
  });
  const flooded = faultOf(
    client.request(
      "s",
      call("flooded"),
      router(() => undefined),
    ),
  );
  await server.arrival((request) => asks(request, "tools/call"));
  const other = client.request(
    "s",
    call("other"),
    router(() => undefined),
  );
  assert.deepEqual(((fault) => [fault.code, fault.detail.sent])(await flooded), ["UPSTREAM_PROTOCOL_ERROR", 1]);
  release.resolve();
  assert.deepEqual(await other, { kind: "complete", result: OK });
});

test("an agent that takes no progress holds the session's own stream until its call is over, and no longer", async (t) => {
  const stuck = Promise.withResolvers<void>();
  const { client, server } = await serve(t, (request, socket, own) => {
    const { name } = request.message.params as JsonObject;
    if (name === "stuck") own.write(note("progress", { progressToken: tokenOf(request), progress: 1 }) + question);
    if (name === "stuck") void stuck.promise.then(() => socket.write(json(reply(request, OK))));
    else void server.arrival(answers).then(() => socket.write(json(reply(request, OK))));
  });
  const asking = client.request("s", call("asks"), askableParams());
  await server.arrival((request) => asks(request, "tools/call"));
  await client.request(
    "s",
    call("stuck"),
    router(() => {
      stuck.resolve();
      return new Promise(() => undefined);
    }),
  );
  await asking;
});

test("a call that wants progress alone does not wait for the session's own stream", async (t) => {
  let call_: { request: ScriptedRequest; socket: Socket } | undefined;
  const { client } = await start(t, (request, socket) => {
    // Never answered.
    if (request.method === "GET") return;
    call_ = { request, socket };
    socket.write(json(reply(request, OK)));
  });
  const waited = AbortSignal.timeout(1_500);
  await client.request(
    "s",
    call("tool"),
    router(() => undefined),
  );
  assert.deepEqual([call_ !== undefined, waited.aborted], [true, false]);
});
