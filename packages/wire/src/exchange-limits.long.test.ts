/** How much an exchange may carry, on both sides. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BODY_LIMITS } from "./limits.ts";
import { collect, echo, rawOpener, rawResponder, served } from "./testing/sockets.ts";

test("the body of an exchange is bounded on both sides", async (t) => {
  const { path, pool, faults } = await served(t, async (exchange) => {
    await collect(exchange.body);
  });
  const exchange = await pool.open({ t: "drain" });
  await assert.rejects(exchange.write(Buffer.alloc(BODY_LIMITS.drain.bytes + 1)), { code: "WIRE_EXCHANGE_TOO_LARGE" });
  exchange.abort();

  const raw = await rawOpener(t, path);
  raw.send({ t: "drain", x: 1 });
  for (let sent = 0; sent <= BODY_LIMITS.drain.frames; sent += 1) raw.send({ t: "body", x: 1, data: Uint8Array.of(1) });
  let last = await raw.next();
  while (last !== "closed" && last.t !== "error") last = await raw.next();
  assert.equal(last === "closed" ? last : last.code, "WIRE_EXCHANGE_TOO_LARGE");
  assert.equal(await raw.next(), "closed");
  assert.deepEqual(
    faults.map((fault) => fault.code),
    ["WIRE_EXCHANGE_TOO_LARGE"],
  );
});

test("the opener holds the responder's body to the limit", async (t) => {
  const { pool, peer } = await rawResponder(t);
  const exchange = await pool.open({ t: "drain" });
  const raw = await peer();
  raw.send({ t: "response", x: 1, status: 200, headers: {} });
  for (let sent = 0; sent <= BODY_LIMITS.drain.frames; sent += 1) raw.send({ t: "body", x: 1, data: Uint8Array.of(1) });
  await assert.rejects(collect(exchange.body), { code: "WIRE_EXCHANGE_TOO_LARGE" });
});

test("as many frames and bytes as the limits say pass, and one more of either does not", async (t) => {
  const { frames, bytes } = BODY_LIMITS.head;
  const { pool } = await served(t, echo);
  for (const [chunk, more] of [
    [new Uint8Array(1), frames],
    [new Uint8Array(bytes / 4), 4],
  ] as const) {
    const exchange = await pool.open({ t: "head" });
    for (let sent = 0; sent < more; sent += 1) await exchange.write(chunk);
    await exchange.end();
    await exchange.head;
    assert.equal((await collect(exchange.body)).length, more * chunk.length);
    const other = await pool.open({ t: "head" });
    for (let sent = 0; sent < more; sent += 1) await other.write(chunk);
    await assert.rejects(other.write(Uint8Array.of(1)), { code: "WIRE_EXCHANGE_TOO_LARGE" });
    other.abort();
  }
});
