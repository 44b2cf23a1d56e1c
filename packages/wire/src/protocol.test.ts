import assert from "node:assert/strict";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { CmcpError } from "@cmcp/boundary";
import { encodeMap, type WireMap } from "./codec.ts";
import { encodeFrame, type Frame } from "./frame.ts";
import { LINGER_MS } from "./limits.ts";
import { serveStream } from "./serve.ts";
import { collect, rawOpener, rawResponder, served } from "./testing/sockets.ts";

const opening = (x: number): Frame => ({ t: "launch", x });
const body = (x: number): Frame => ({ t: "body", x, data: Uint8Array.of(1) });
const end = (x: number): Frame => ({ t: "end", x });
const response = (x: number): Frame => ({ t: "response", x, status: 200, headers: {} });

/** A frame that need not have a documented shape. */
function wire(map: WireMap): Buffer {
  const bytes = encodeMap(map);
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(bytes.length);
  return Buffer.concat([prefix, bytes]);
}

const fromOpener: readonly { what: string; frames: readonly Frame[]; x: number }[] = [
  { what: "a body before an opening", frames: [body(1)], x: 1 },
  { what: "an end before an opening", frames: [end(1)], x: 1 },
  { what: "a response from the opener", frames: [response(1)], x: 1 },
  { what: "an error from the opener", frames: [opening(1), { t: "error", x: 1, code: "INTERNAL", message: "" }], x: 1 },
  { what: "a first exchange that is not number 1", frames: [opening(2)], x: 1 },
  { what: "a second opening inside an exchange", frames: [opening(1), opening(2)], x: 1 },
  { what: "a body of another exchange", frames: [opening(1), body(2)], x: 1 },
  { what: "an end of another exchange", frames: [opening(1), end(2)], x: 1 },
  { what: "a body after the end", frames: [opening(1), end(1), body(1)], x: 1 },
  { what: "a second end", frames: [opening(1), end(1), end(1)], x: 1 },
];

for (const { what, frames, x } of fromOpener) {
  test(`responder: ${what} is an error frame and a close`, async (t) => {
    let reason: unknown;
    const { path, faults } = await served(t, async (exchange) => {
      await new Promise<void>((resolve) => {
        exchange.signal.addEventListener("abort", () => {
          reason = exchange.signal.reason;
          resolve();
        });
      });
    });
    const raw = await rawOpener(t, path);
    raw.send(...frames);
    const last = await raw.next();
    assert.deepEqual(last === "closed" ? last : { ...last, message: "" }, {
      t: "error",
      x,
      code: "WIRE_UNEXPECTED_FRAME",
      message: "",
    });
    assert.equal(await raw.next(), "closed");
    assert.deepEqual(
      faults.map((fault) => fault.code),
      ["WIRE_UNEXPECTED_FRAME"],
    );
    if (frames[0]?.t === "launch" && frames[0].x === 1)
      assert.equal((reason as CmcpError).code, "WIRE_UNEXPECTED_FRAME");
  });
}

test("responder: an old exchange number, replayed, is refused", async (t) => {
  const { path } = await served(t, async (exchange) => {
    await exchange.respond({ status: 200, headers: {} });
    await exchange.end();
  });
  const raw = await rawOpener(t, path);
  raw.send(opening(1), end(1));
  assert.deepEqual([await raw.next(), await raw.next()], [response(1), end(1)]);
  raw.send(opening(1), end(1));
  const last = await raw.next();
  assert.deepEqual(last === "closed" ? last : [last.t, last.x], ["error", 2]);
  assert.equal(await raw.next(), "closed");
});

test("responder: bytes that are no frame are answered with their own code", async (t) => {
  const cases: readonly [Buffer, string][] = [
    [Buffer.from("ffffffff", "hex"), "WIRE_FRAME_TOO_LARGE"],
    [Buffer.from("00000000", "hex"), "WIRE_MALFORMED"],
    [Buffer.from("GET / HTTP/1.1\r\n\r\n"), "WIRE_FRAME_TOO_LARGE"],
    [Buffer.from("00000002a0a0", "hex"), "WIRE_TRAILING_BYTES"],
    [Buffer.from("00000003bf6161", "hex"), "WIRE_INDEFINITE_LENGTH"],
    [wire({ t: "request", x: 1, method: "POST", path: "/", headers: {}, decision: "allow" }), "WIRE_MALFORMED"],
  ];
  for (const [bytes, code] of cases) {
    const { path } = await served(t, async () => {
      assert.fail("nothing to accept");
    });
    const raw = await rawOpener(t, path);
    raw.socket.write(bytes);
    const last = await raw.next();
    assert.equal(last === "closed" ? last : last.t === "error" && last.code, code);
    assert.equal(await raw.next(), "closed");
  }
});

test("responder: nothing after a violation is acted on, but it is read on until the opener closes or time is over", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let accepted = 0;
  const { path } = await served(t, async () => {
    accepted += 1;
  });
  const raw = await rawOpener(t, path);
  raw.send(body(1), opening(1), end(1));
  assert.notEqual(await raw.next(), "closed");
  assert.equal(await raw.next(), "closed");
  // An opener in the middle of its body can still write, and so gets to read why.
  for (let round = 0; round < 20; round += 1) {
    assert.equal(await raw.delivered(opening(1), end(1)), true);
    await turn();
  }
  t.mock.timers.tick(LINGER_MS);
  while (await raw.delivered(opening(1))) await turn();
  assert.equal(accepted, 0);
});

test("responder: a half-close is a close", async (t) => {
  const failed = Promise.withResolvers<unknown>();
  const [near, far] = duplexPair();
  serveStream(far, async (exchange) => {
    await collect(exchange.body).catch(failed.resolve);
  });
  t.after(() => near.destroy());
  near.write(encodeFrame(opening(1)));
  near.end();
  assert.equal(((await failed.promise) as CmcpError).code, "WIRE_CLOSED");
});

test("responder: a peer that closes inside a frame cancels the exchange", async (t) => {
  const failed = Promise.withResolvers<unknown>();
  const { path } = await served(t, async (exchange) => {
    await collect(exchange.body).catch(failed.resolve);
  });
  const raw = await rawOpener(t, path);
  raw.send(opening(1), body(1));
  raw.socket.end(encodeFrame(body(1)).subarray(0, 7));
  const error = (await failed.promise) as CmcpError;
  assert.equal(error.code, "WIRE_CLOSED");
  assert.match(error.message, /inside a frame/);
});

test("responder: an end of the stream is not an end of the body", async (t) => {
  const failed = Promise.withResolvers<unknown>();
  const { path } = await served(t, async (exchange) => {
    await collect(exchange.body).catch(failed.resolve);
  });
  const raw = await rawOpener(t, path);
  raw.send(opening(1), body(1));
  raw.socket.end();
  assert.equal(((await failed.promise) as CmcpError).code, "WIRE_CLOSED");
});

const fromResponder: readonly { what: string; frames: readonly Frame[] }[] = [
  { what: "a body before the response", frames: [body(1)] },
  { what: "an end before the response", frames: [end(1)] },
  { what: "a second response", frames: [response(1), response(1)] },
  { what: "an opening from the responder", frames: [opening(1)] },
  { what: "a response of another exchange", frames: [response(2)] },
  { what: "a body of another exchange", frames: [response(1), body(2)] },
  { what: "an error of another exchange", frames: [{ t: "error", x: 2, code: "INTERNAL", message: "" }] },
  { what: "a body after the end", frames: [response(1), end(1), body(1)] },
  {
    what: "an error after the end",
    frames: [response(1), end(1), { t: "error", x: 1, code: "INTERNAL", message: "" }],
  },
];

for (const { what, frames } of fromResponder) {
  test(`opener: ${what} ends the exchange and closes the stream`, async (t) => {
    const { pool, peer } = await rawResponder(t);
    const exchange = await pool.open({ t: "launch" });
    const raw = await peer();
    raw.send(...frames);
    while ((await raw.next()) !== "closed");
    await assert.rejects(exchange.write(Uint8Array.of(1)), { code: "WIRE_UNEXPECTED_FRAME" });
  });
}

test("opener: a frame while no exchange is open closes the stream, and the next exchange gets a new one", async (t) => {
  const { pool, peer } = await rawResponder(t);
  const first = await pool.open({ t: "launch" });
  await first.end();
  const raw = await peer();
  raw.send(response(1), end(1), response(2), end(2));
  assert.equal((await first.head).status, 200);
  while ((await raw.next()) !== "closed");
  const second = await pool.open({ t: "launch" });
  const other = await peer();
  other.send(response(1), end(1));
  assert.equal((await second.head).status, 200, "the forged early answer was not taken for this one");
});

test("opener: a responder that closes inside a frame fails head and body", async (t) => {
  const { pool, peer } = await rawResponder(t);
  const exchange = await pool.open({ t: "launch" });
  const raw = await peer();
  raw.socket.end(encodeFrame(response(1)).subarray(0, 9));
  await assert.rejects(exchange.head, { code: "WIRE_CLOSED", message: /inside a frame/ });
  await assert.rejects(collect(exchange.body), { code: "WIRE_CLOSED" });
});

test("opener: an end of the stream is not an end of the body", async (t) => {
  const { pool, peer } = await rawResponder(t);
  const exchange = await pool.open({ t: "launch" });
  const raw = await peer();
  raw.socket.end(Buffer.concat([encodeFrame(response(1)), encodeFrame(body(1))]));
  assert.equal((await exchange.head).status, 200);
  await assert.rejects(collect(exchange.body), { code: "WIRE_CLOSED" });
});

test("opener: a reject by the wire itself is the last of its stream", async (t) => {
  const { pool, peer } = await rawResponder(t);
  const exchange = await pool.open({ t: "launch" });
  const raw = await peer();
  raw.send({ t: "error", x: 1, code: "WIRE_IDLE_TIMEOUT", message: "" });
  await assert.rejects(exchange.head, { code: "WIRE_IDLE_TIMEOUT" });
  while ((await raw.next()) !== "closed");
});

test("an exchange that stands still is rejected and its stream closed, on both sides", async (t) => {
  const { path, faults } = await served(
    t,
    async (exchange) => {
      await collect(exchange.body);
    },
    { serve: { idleMs: 20 } },
  );
  const raw = await rawOpener(t, path);
  raw.send(opening(1));
  const last = await raw.next();
  assert.equal(last === "closed" ? last : last.t === "error" && last.code, "WIRE_IDLE_TIMEOUT");
  assert.equal(await raw.next(), "closed");
  assert.deepEqual(
    faults.map((fault) => fault.code),
    ["WIRE_IDLE_TIMEOUT"],
  );

  const { pool, peer } = await rawResponder(t, { idleMs: 20 });
  const exchange = await pool.open({ t: "launch" });
  await assert.rejects(exchange.head, { code: "WIRE_IDLE_TIMEOUT" });
  const stalled = await peer();
  while ((await stalled.next()) !== "closed");
});

test("a stream on which nothing is ever opened is closed without a word", async (t) => {
  const { path } = await served(t, async () => undefined, { serve: { idleMs: 20 } });
  const raw = await rawOpener(t, path);
  assert.equal(await raw.next(), "closed");
});
