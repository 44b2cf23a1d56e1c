import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { BufferedBytes, CmcpError, examine } from "@cmcp/boundary";
import { MAX_MESSAGE_BYTES, MAX_UNREAD_BYTES } from "../limits.ts";
import { socketPair } from "../testing/socket-pair.ts";
import { SocketChannel } from "./socket-channel.ts";

const FOUND = { digest: new Uint8Array(32) };
/** Of a caller that stays. */
const forever = new AbortController().signal;

test("messages go out as lines and come in as lines", async (t) => {
  const { ours, theirs } = await socketPair(t);
  const channel = new SocketChannel(ours, FOUND);
  const got: string[] = [];
  const two = new Promise<void>((resolve) => {
    channel.onMessage((message) => {
      if (got.push(Buffer.from(examine(message)).toString()) === 2) resolve();
    });
  });
  await channel.send(Buffer.from('{"id":1}'), forever);
  assert.equal(String((await once(theirs, "data"))[0]), '{"id":1}\n');
  theirs.write('{"a":1}\n{"b"');
  theirs.write(":2}\n");
  await two;
  assert.deepEqual(got, ['{"a":1}', '{"b":2}']);
});

test("a line feed inside a message is refused, as it would be two", async (t) => {
  const { ours, theirs } = await socketPair(t);
  const channel = new SocketChannel(ours, FOUND);
  await assert.rejects(channel.send(Buffer.from("{}\n{}"), forever), { code: "INTERNAL" });
  await channel.send(Buffer.from("{}"), forever);
  assert.equal(String((await once(theirs, "data"))[0]), "{}\n", "nothing of it left");
});

test("a message without end ends the server", async (t) => {
  const { ours, theirs } = await socketPair(t);
  const channel = new SocketChannel(ours, FOUND);
  channel.onMessage(() => assert.fail("no message"));
  theirs.write(Buffer.alloc(MAX_MESSAGE_BYTES + 1, "x"));
  assert.equal((await channel.closed).code, "RESPONSE_SIZE_EXCEEDED");
  await assert.rejects(channel.send(Buffer.from("{}"), forever), { code: "RESPONSE_SIZE_EXCEEDED" });
});

test("a server that reads nothing is not written to without end", async (t) => {
  const { ours } = await socketPair(t);
  const channel = new SocketChannel(ours, FOUND);
  const message = Buffer.alloc(1024 * 1024, "x");
  const refused: unknown[] = [];
  for (let sent = 0; sent < 20; sent += 1)
    void channel.send(message, forever).catch((error: unknown) => refused.push(error));
  await new Promise((resolve) => setImmediate(resolve));
  // Those that were taken wait for a reader that never comes.
  assert.ok(
    refused.length >= 15 && refused.every((error) => error instanceof CmcpError && error.code === "OVERLOADED"),
  );
  assert.ok(ours.writableLength <= MAX_UNREAD_BYTES + 20);
  ours.destroy();
});

test("a message that has not begun to leave is taken back, and those around it leave whole", {
  timeout: 5_000,
}, async (t) => {
  const { ours, theirs } = await socketPair(t);
  const buffered = new BufferedBytes();
  const channel = new SocketChannel(ours, FOUND, buffered.share("server"));
  const [large, leaving] = [Buffer.alloc(1024 * 1024, "x"), new AbortController()];
  const first = channel.send(large, forever);
  const second = channel.send(Buffer.from("taken back"), leaving.signal);
  const third = channel.send(Buffer.from("third"), forever);
  const held = buffered.held;
  leaving.abort(new CmcpError("SESSION_CLOSED", "the session is closed"));
  await assert.rejects(second, { code: "SESSION_CLOSED", detail: { sent: 0 } });
  assert.equal(held - buffered.held, "taken back\n".length);
  await assert.rejects(channel.send(large, leaving.signal), { code: "SESSION_CLOSED", detail: { sent: 0 } });
  const got: Buffer[] = [];
  theirs.on("data", (chunk: Buffer) => got.push(chunk));
  await Promise.all([first, third]);
  ours.end();
  await once(theirs, "end");
  assert.ok(Buffer.concat(got).equals(Buffer.concat([large, Buffer.from("\nthird\n")])));
});

test("a server that leaves the rest of a message unread that nobody waits for is ended, and nothing stays held", {
  timeout: 5_000,
}, async (t) => {
  const { ours } = await socketPair(t);
  const buffered = new BufferedBytes();
  const channel = new SocketChannel(ours, FOUND, buffered.share("server"));
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const leaving = new AbortController();
  const half = channel.send(Buffer.alloc(1024 * 1024, "x"), leaving.signal);
  const next = assert.rejects(channel.send(Buffer.from("{}"), forever), {
    code: "UPSTREAM_UNAVAILABLE",
    detail: { sent: 0 },
  });
  leaving.abort();
  await assert.rejects(half, { code: "REQUEST_CANCELLED", detail: { sent: 1 } });
  t.mock.timers.tick(1_999);
  assert.equal(ours.destroyed, false);
  t.mock.timers.tick(1);
  assert.equal((await channel.closed).code, "UPSTREAM_TIMEOUT");
  await next;
  assert.equal(buffered.held, 0);
});

test("a server that reads the rest in time goes on", { timeout: 5_000 }, async (t) => {
  const { ours, theirs } = await socketPair(t);
  const channel = new SocketChannel(ours, FOUND);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const leaving = new AbortController();
  const half = channel.send(Buffer.alloc(1024 * 1024, "x"), leaving.signal);
  leaving.abort();
  await assert.rejects(half, { code: "REQUEST_CANCELLED" });
  theirs.resume();
  await channel.send(Buffer.from("{}"), forever);
  t.mock.timers.tick(2_000);
  assert.equal(ours.destroyed, false);
});

test("when the channel is closed, what has begun to leave leaves, and nothing follows it", {
  timeout: 5_000,
}, async (t) => {
  const { ours, theirs } = await socketPair(t);
  const channel = new SocketChannel(ours, FOUND);
  const [first, second] = [Buffer.alloc(1024 * 1024, "x"), Buffer.from("{}")].map((message) =>
    channel.send(message, forever),
  );
  const refused = assert.rejects(second ?? Promise.resolve(), { code: "UPSTREAM_UNAVAILABLE", detail: { sent: 0 } });
  const closing = channel.close();
  theirs.once("end", () => theirs.end());
  theirs.resume();
  await Promise.all([first, refused, closing]);
});

test("when the server ends, what has begun to leave may have arrived, and what has not did not", {
  timeout: 5_000,
}, async (t) => {
  const { ours, theirs } = await socketPair(t);
  const channel = new SocketChannel(ours, FOUND);
  channel.onMessage(() => undefined);
  const sends = Promise.allSettled(
    [Buffer.alloc(1024 * 1024, "x"), Buffer.from("{}")].map((message) => channel.send(message, forever)),
  );
  theirs.destroy();
  assert.equal((await channel.closed).code, "UPSTREAM_UNAVAILABLE");
  assert.deepEqual(
    (await sends).map((result) => (result.status === "rejected" ? (result.reason as CmcpError).detail.sent : "sent")),
    [1, 0],
  );
});

test("nothing is read while a message is being handled", async (t) => {
  const { ours, theirs } = await socketPair(t);
  const channel = new SocketChannel(ours, FOUND);
  let release: () => void = () => undefined;
  let handled = 0;
  const first = new Promise<void>((resolve) => {
    channel.onMessage(() => {
      handled += 1;
      if (handled > 1) return;
      resolve();
      return new Promise<void>((done) => (release = done));
    });
  });
  theirs.write("a\nb\n");
  await first;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(handled, 1);
  release();
  theirs.end();
  await channel.closed;
  assert.equal(handled, 2);
});

test("what the handler throws ends the channel and is told", async (t) => {
  const { ours, theirs } = await socketPair(t);
  const channel = new SocketChannel(ours, FOUND);
  channel.onMessage(() => {
    throw new CmcpError("UPSTREAM_PROTOCOL_ERROR", "not a message");
  });
  theirs.write("a\n");
  assert.equal((await channel.closed).code, "UPSTREAM_PROTOCOL_ERROR");
});

test("close ends the input, and what still comes out is handed over", async (t) => {
  const { ours, theirs } = await socketPair(t);
  const channel = new SocketChannel(ours, FOUND);
  const got: string[] = [];
  channel.onMessage((message) => void got.push(Buffer.from(examine(message)).toString()));
  theirs.once("end", () => theirs.end("last words\n"));
  theirs.resume();
  await channel.close();
  assert.deepEqual(got, ["last words"]);
  await assert.rejects(channel.send(Buffer.from("{}"), forever), { code: "UPSTREAM_UNAVAILABLE" });
});

test("close does not wait for a server that stays", async (t) => {
  const { ours } = await socketPair(t);
  const channel = new SocketChannel(ours, FOUND);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const closing = channel.close();
  t.mock.timers.tick(4_000);
  await closing;
  assert.ok(ours.destroyed);
});

test("a server that ends by itself is told as such, with or without a handler", async (t) => {
  for (const handle of [true, false]) {
    const { ours, theirs } = await socketPair(t);
    const channel = new SocketChannel(ours, FOUND);
    if (handle) channel.onMessage(() => undefined);
    else ours.resume();
    theirs.end();
    assert.equal((await channel.closed).code, "UPSTREAM_UNAVAILABLE");
  }
});

test("there is one handler", async (t) => {
  const { ours } = await socketPair(t);
  const channel = new SocketChannel(ours, FOUND);
  channel.onMessage(() => undefined);
  assert.throws(() => channel.onMessage(() => undefined), { code: "INTERNAL" });
});

test("parts of messages count while they are held, in both directions, and end the server beyond the bound", async (t) => {
  const { ours, theirs } = await socketPair(t);
  const buffered = new BufferedBytes(8 * 1024 * 1024);
  const channel = new SocketChannel(ours, FOUND, buffered.share("server"));
  const got = Promise.withResolvers<void>();
  channel.onMessage(() => got.resolve());
  theirs.pause();
  const unread = Buffer.alloc(3 * 1024 * 1024, "x");
  const sent = channel.send(unread, forever);
  assert.equal(buffered.held, unread.byteLength + 1);
  theirs.resume();
  await sent;
  assert.equal(buffered.held, 0);
  theirs.write('a\n{"half":');
  await got.promise;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(buffered.held, 8);
  const others = buffered.share("others");
  others.take(buffered.max / 2 - 8);
  theirs.write(Buffer.alloc(MAX_MESSAGE_BYTES / 2 + 100_000, "x"));
  assert.equal((await channel.closed).code, "OVERLOADED");
  assert.equal(buffered.held, buffered.max / 2 - 8);
});
