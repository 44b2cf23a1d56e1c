import assert from "node:assert/strict";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { test } from "node:test";
import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { FakeVsock } from "../testing/fake-vsock.ts";
import { HOST_CID, listenVsock, vsockDialer } from "./vsock.ts";
import { VsockStream } from "./vsock-stream.ts";

const never = new AbortController().signal;
const EAGAIN_ROOM = 0;

test("a write larger than 32 KiB goes in pieces, and waits where the kernel has no room", async () => {
  const addon = new FakeVsock();
  const stream = new VsockStream(addon, addon.socket());
  addon.room = 40_000;
  const written = new Promise<void>((resolve) => stream.write(Buffer.alloc(100_000, 1), () => resolve()));
  assert.deepEqual(addon.written, [32_768, 7_232]);
  addon.room = EAGAIN_ROOM;
  stream.notify("writable");
  addon.room = 1_000_000;
  stream.notify("writable");
  await written;
  assert.deepEqual(addon.written, [32_768, 7_232, 0, 32_768, 27_232]);
  stream.destroy();
});

test("reading stops when nobody takes, and goes on when somebody does", async () => {
  const addon = new FakeVsock();
  const stream = new VsockStream(addon, addon.socket());
  stream.read(0);
  assert.deepEqual(addon.reading, [true]);
  stream.notify("data", Buffer.alloc(32_768));
  assert.deepEqual(addon.reading, [true], "there is room for more");
  for (let turn = 0; turn < 3; turn += 1) stream.notify("data", Buffer.alloc(32_768));
  assert.equal(addon.reading.at(-1), false);
  let taken = 0;
  stream.on("data", (chunk: Buffer) => (taken += chunk.length));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(taken, 4 * 32_768);
  assert.equal(addon.reading.at(-1), true);
  stream.notify("end");
  await once(stream, "end");
  assert.equal(stream.writable, true, "the other direction stays");
  stream.end();
  await once(stream, "close");
  assert.deepEqual(addon.calls, ["shutdown", "close"]);
});

test("an error of the socket destroys the stream, and what was being written fails", async () => {
  const addon = new FakeVsock();
  const stream = new VsockStream(addon, addon.socket());
  const failed = once(stream, "error");
  const unwritten = new Promise<unknown>((resolve) => stream.write(Buffer.alloc(10), resolve));
  stream.notify("error", 104);
  const [error] = (await failed) as [Error];
  assert.match(error.message, /ECONNRESET/);
  assert.ok((await unwritten) instanceof Error);
  assert.equal(addon.calls.at(-1), "close");
  stream.notify("data", Buffer.alloc(1));
  stream.notify("writable");
});

test("a socket that cannot be read breaks the stream, and one that cannot be closed does not", async () => {
  class Broken extends FakeVsock {
    override read(): void {
      throw Object.assign(new Error("no such socket"), { errno: 104 });
    }

    override close(): void {
      super.close();
      throw new Error("closed already");
    }
  }
  const addon = new Broken();
  const stream = new VsockStream(addon, addon.socket());
  const failed = once(stream, "error");
  stream.read(0);
  const [error] = (await failed) as [Error];
  assert.match(error.message, /ECONNRESET/);
  assert.deepEqual([addon.calls, stream.destroyed], [["close"], true]);
});

test("dialling resolves on connection, and closes what it gives up", async () => {
  const addon = new FakeVsock();
  const dialling = vsockDialer(addon, 3, 5000).dial(never);
  addon.tell("connected");
  (await dialling).destroy();

  const refused = vsockDialer(addon, 3, 5000).dial(never);
  addon.tell("error", 104);
  await assert.rejects(refused, { code: "WIRE_UNREACHABLE" });
  assert.equal(addon.calls.at(-1), "close");

  const cancel = new AbortController();
  const cancelled = vsockDialer(addon, 3, 5000).dial(cancel.signal);
  addon.calls.length = 0;
  cancel.abort();
  await assert.rejects(cancelled, { code: "REQUEST_CANCELLED" });
  assert.deepEqual(addon.calls, ["close"]);

  addon.refuses = 19;
  await assert.rejects(vsockDialer(addon, 3, 5000).dial(never), { code: "WIRE_UNREACHABLE" });
  await assert.rejects(vsockDialer(addon, 3, 5000).dial(AbortSignal.abort()), { code: "REQUEST_CANCELLED" });
});

test("a listener serves the CID it is for, so many streams at once, and goes on after it ran out of descriptors", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const addon = new FakeVsock();
  const served: unknown[] = [];
  const listener = listenVsock(addon, 5000, (stream) => served.push(stream), { from: HOST_CID, maxStreams: 2 });
  addon.tell("accepted", addon.socket(), 7);
  assert.equal(served.length, 0);
  assert.deepEqual(addon.calls, ["close"]);
  for (let turn = 0; turn < 3; turn += 1) addon.tell("accepted", addon.socket(), HOST_CID);
  assert.equal(served.length, 2);
  addon.tell("error", 24);
  t.mock.timers.tick(100);
  assert.deepEqual(addon.reading, [true]);
  await listener.close();
  assert.ok(served.every((stream) => stream instanceof VsockStream && stream.destroyed));
  addon.refuses = 98;
  assert.throws(() => listenVsock(addon, 5000, () => undefined, { from: HOST_CID }), { code: "WIRE_UNREACHABLE" });
});

/** An addon that gives a listener's descriptor back as the real one does: in the callback of libuv's close. */
class ClosingVsock extends FakeVsock {
  readonly #handle = new MessageChannel().port1;
  free = false;

  override close(): void {
    this.#handle.once("close", () => (this.free = true));
    this.#handle.close();
  }
}

test("a listener that was closed has given its port back, whenever it was closed", async () => {
  for (const phase of [turn, async () => await delay(1), async () => await stat(".")]) {
    const addon = new ClosingVsock();
    const listener = listenVsock(addon, 5, () => undefined, { from: HOST_CID });
    await phase();
    await listener.close();
    assert.equal(addon.free, true);
  }
});
