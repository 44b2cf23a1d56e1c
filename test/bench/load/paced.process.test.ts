/** The open loop against a server that stalls: each call that was due meanwhile is charged with it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { TOOL } from "../call.ts";
import { paced } from "./paced.ts";

const STALL_MS = 400;

test("calls that were due while a server stalled are late, not left out", async (t) => {
  let calls = 0;
  let stalled: Promise<unknown> = Promise.resolve();
  const server = createServer((request, response) => {
    request.resume().once("end", () => {
      calls += 1;
      // 64 connections open a session each, before the first call.
      if (calls === 100) stalled = delay(STALL_MS);
      void stalled.then(() => response.end('{"jsonrpc":"2.0","id":1,"result":{}}'));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const load = { port, tokens: ["t"], tools: [TOOL], perSecond: 200, warmMs: 0, measureMs: 1_000 };
  const served = await paced(load);
  assert.equal(served.calls, 200);
  // A closed loop would have one late call on each connection; here the rate says how many are.
  assert.ok(served.max >= STALL_MS - 50, `${served.max} ms`);
  assert.ok(served.p99 >= STALL_MS / 2, `${served.p99} ms`);
});
