import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { measuredConfigSchema } from "@cmcp/launch";
import { LONGEST_CALL_MS, LONGEST_SILENCE_MS, patientFetch } from "./patient-fetch.ts";

async function serving(t: TestContext, listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/sealed`);
}

test("sends a request and hands on its answer, as it comes", async (t) => {
  const seen: unknown[] = [];
  const url = await serving(t, (incoming, response) => {
    void incoming.toArray().then((pieces) => {
      seen.push([
        incoming.method,
        incoming.url,
        incoming.headers["x-one"],
        Buffer.concat(pieces as Buffer[]).toString(),
      ]);
      response.writeHead(201, { "content-type": "text/x", "set-cookie": ["a=1", "b=2"] });
      response.end("answer");
    });
  });
  const { fetch } = patientFetch();
  const answer = await fetch(url, { method: "POST", headers: { "x-one": "1" }, body: Buffer.from("content") });
  assert.deepEqual([answer.status, answer.headers.get("content-type"), await answer.text()], [201, "text/x", "answer"]);
  assert.deepEqual(answer.headers.getSetCookie(), ["a=1", "b=2"]);
  await (await fetch(url)).text();
  assert.deepEqual(seen, [
    ["POST", "/sealed", "1", "content"],
    ["GET", "/sealed", undefined, ""],
  ]);
});

test("an answer without content has none, and a redirection is an error", async (t) => {
  let asked = 0;
  const url = await serving(t, (incoming, response) => {
    asked += 1;
    response.writeHead(incoming.method === "GET" ? 302 : 204, { location: "/elsewhere" }).end();
  });
  assert.equal((await patientFetch().fetch(url, { method: "DELETE" })).body, null);
  await assert.rejects(patientFetch().fetch(url), TypeError);
  assert.equal(asked, 2, "and it is not followed");
});

test("an answer that breaks off, before it begins or later, is an error; so is one that is left", async (t) => {
  const left = new AbortController();
  const url = await serving(t, (incoming, response) => {
    if (incoming.method === "PUT") return left.abort();
    if (incoming.method === "GET") return response.destroy();
    response.writeHead(200, { "content-length": "10" });
    return response.write("half", () => response.destroy());
  });
  const { fetch } = patientFetch();
  await assert.rejects(fetch(url), { code: "ECONNRESET" });
  await assert.rejects((await fetch(url, { method: "POST" })).text());
  await assert.rejects(fetch(url, { method: "PUT", signal: left.signal }), { name: "AbortError" });
});

test("silence is waited for up to its bound, before an answer and in it", async (t) => {
  const url = await serving(t, (incoming, response) => {
    if (incoming.method === "POST") response.writeHead(200).write("half");
  });
  const { fetch } = patientFetch(20);
  await assert.rejects(fetch(url), /nothing came for 0.02 seconds/);
  await assert.rejects((await fetch(url, { method: "POST" })).text());
});

test("an answer is left by its signal also after a collection of garbage", async (t) => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const url = await serving(t, (_, response) => response.writeHead(200).write("half"));
  const { fetch, close } = patientFetch();
  t.after(close);
  const left = new AbortController();
  const reading = (await fetch(url, { signal: left.signal })).text();
  for (let round = 0; round < 5; round += 1) {
    collect();
    await new Promise(setImmediate);
  }
  left.abort();
  await assert.rejects(reading);
});

test("closing ends the connection of an answer that nobody has read", async (t) => {
  const ended = Promise.withResolvers<void>();
  const url = await serving(t, (_, response) => {
    response.on("close", ended.resolve);
    response.writeHead(200).write("half");
  });
  const { fetch, close } = patientFetch();
  assert.equal((await fetch(url)).status, 200);
  close();
  await ended.promise;
});

test("the bound is above the longest call that a configuration allows", () => {
  const { upstream_call_timeout_ms: bound } = measuredConfigSchema.shape.enclave.shape;
  assert.ok(bound.safeParse(LONGEST_CALL_MS).success);
  assert.ok(!bound.safeParse(LONGEST_CALL_MS + 1).success);
  assert.ok(LONGEST_SILENCE_MS > LONGEST_CALL_MS);
});
