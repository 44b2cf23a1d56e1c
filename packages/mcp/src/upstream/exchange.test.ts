import assert from "node:assert/strict";
import { test } from "node:test";
import { BufferedBytes, type CmcpError } from "@cmcp/boundary";
import { Pool } from "./undici.ts";
import { DEFAULT_UPSTREAM_LIMITS } from "../index.ts";
import { EVENT_STREAM, ScriptedServer, http } from "../testing/scripted-server.ts";
import { HttpExchange } from "./exchange.ts";

test("an exchange whose caller is already gone is never dispatched", async (t) => {
  const server = await ScriptedServer.start((_, socket) => void socket.write(http(200, {}, "")));
  const pool = new Pool(server.url.origin);
  t.after(async () => {
    await pool.destroy();
    await server.close();
  });
  const request = { method: "POST", path: "/mcp", headers: {}, body: "{}" } as const;
  const gone = new HttpExchange(pool, request, {
    limits: DEFAULT_UPSTREAM_LIMITS,
    caller: { signal: AbortSignal.abort() },
    buffered: new BufferedBytes().share("server"),
  });
  await assert.rejects(gone.head(), { code: "REQUEST_CANCELLED", detail: { sent: 0 } });
  const stays = new HttpExchange(pool, request, {
    limits: DEFAULT_UPSTREAM_LIMITS,
    caller: { signal: new AbortController().signal },
    buffered: new BufferedBytes().share("server"),
  });
  assert.equal((await stays.head()).status, 200);
  assert.equal(server.requests.length, 1);
});

test("the time of what is waited for at the same time counts once", async (t) => {
  const server = await ScriptedServer.start((_, socket) => void socket.write(EVENT_STREAM));
  const pool = new Pool(server.url.origin);
  t.after(async () => {
    await pool.destroy();
    await server.close();
  });
  const limits = { ...DEFAULT_UPSTREAM_LIMITS, totalMs: 300 };
  const exchange = new HttpExchange(
    pool,
    { method: "POST", path: "/mcp", headers: {}, body: "{}" },
    { limits, caller: { signal: new AbortController().signal }, buffered: new BufferedBytes().share("server") },
  );
  await exchange.head();
  await Promise.all(
    Array.from({ length: 20 }, () => exchange.hold(new Promise((resolve) => setTimeout(resolve, 100)))),
  );
  await assert.rejects(
    exchange.read(),
    ({ code, message }: CmcpError) =>
      code === "UPSTREAM_TIMEOUT" && Number(/waited (\d+) ms/.exec(message)?.[1]) <= limits.totalMs,
  );
});
