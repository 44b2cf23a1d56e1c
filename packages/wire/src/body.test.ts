import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, examine, untrusted } from "@cmcp/boundary";
import * as fc from "fast-check";
import { ReceivedBody } from "./body.ts";

/** Held bytes and frames at which the stream is paused. */
const BYTES = 65_536;
const FRAMES = 64;

function start() {
  const events: string[] = [];
  const body = new ReceivedBody({
    pause: () => void events.push("pause"),
    resume: () => void events.push("resume"),
    abandoned: () => void events.push("abandoned"),
  });
  const push = (bytes: number): void => body.push(untrusted(new Uint8Array(bytes)));
  return { body, push, events };
}

test("a stream is paused at 64 KiB held, and goes on below half of that", async () => {
  const { body, push, events } = start();
  push(BYTES / 2);
  push(1);
  push(BYTES / 2 - 2);
  assert.deepEqual(events, []);
  push(1);
  assert.deepEqual(events, ["pause"]);
  push(5);
  assert.deepEqual(events, ["pause"], "once");
  await body.next();
  assert.deepEqual(events, ["pause"], "half and 5 are held");
  await body.next();
  await body.next();
  assert.deepEqual(events, ["pause", "resume"]);
});

test("a stream that holds exactly half stays paused", async () => {
  const { body, push, events } = start();
  for (let time = 0; time < 2; time += 1) push(BYTES / 2);
  await body.next();
  assert.deepEqual(events, ["pause"]);
  await body.next();
  assert.deepEqual(events, ["pause", "resume"]);
});

test("a stream is paused at 64 frames held, and goes on below half of that", async () => {
  const { body, push, events } = start();
  for (let frame = 1; frame < FRAMES; frame += 1) push(1);
  assert.deepEqual(events, []);
  push(1);
  assert.deepEqual(events, ["pause"]);
  for (let frame = 0; frame < FRAMES / 2; frame += 1) await body.next();
  assert.deepEqual(events, ["pause"], "32 are held");
  await body.next();
  assert.deepEqual(events, ["pause", "resume"]);
});

test("the stream goes on when its body ends or is left, and nothing is held after that", async () => {
  for (const [leave, expected] of [
    [async (body: ReceivedBody) => body.finish(), ["pause", "resume"]],
    [async (body: ReceivedBody) => body.discard(), ["pause", "resume"]],
    [async (body: ReceivedBody) => void (await body.return()), ["pause", "resume", "abandoned"]],
  ] as const) {
    const { body, push, events } = start();
    push(BYTES);
    await leave(body);
    for (let time = 0; time < 3; time += 1) push(BYTES);
    await leave(body);
    assert.deepEqual(events, expected);
  }
});

test("a body is taken whole only once all of it has arrived, without a failure", async () => {
  const { body, push } = start();
  push(1);
  assert.equal(body.whole(), null);
  body.finish();
  assert.equal(body.whole()?.length, 1);
  assert.deepEqual(await body.next(), { done: true, value: undefined });
  const failed = start();
  failed.push(1);
  failed.body.finish(new CmcpError("WIRE_CLOSED", "gone"));
  assert.equal(failed.body.whole(), null);
  assert.equal((await failed.body.next()).done, false, "what came before the failure");
  await assert.rejects(failed.body.next(), { code: "WIRE_CLOSED" });
});

test("a body has one reader, and the first ending counts", async () => {
  const { body, push } = start();
  const waiting = body.next();
  await assert.rejects(body.next(), { code: "WIRE_UNEXPECTED_FRAME" });
  push(3);
  assert.equal(examine((await waiting).value ?? untrusted(new Uint8Array())).length, 3);
  const last = body.next();
  body.finish();
  body.finish(new CmcpError("WIRE_CLOSED", "gone"));
  assert.deepEqual(await last, { done: true, value: undefined });
  assert.deepEqual(await body.next(), { done: true, value: undefined });
  const failing = start();
  const failed = failing.body.next();
  failing.body.finish(new CmcpError("WIRE_CLOSED", "gone"));
  await assert.rejects(failed, { code: "WIRE_CLOSED" });
});

test("chunks come in order, whoever is quicker, and a paused stream always goes on", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 40_000 }))), async (steps) => {
      const { body, push, events } = start();
      const [sent, read]: [number[], Promise<number>[]] = [[], []];
      for (const bytes of steps)
        if (bytes === null) {
          if (read.length < sent.length)
            read.push(body.next().then(({ value }) => (value === undefined ? -1 : examine(value).length)));
        } else {
          push(bytes);
          sent.push(bytes);
        }
      body.finish();
      assert.deepEqual(await Promise.all(read), sent.slice(0, read.length));
      assert.deepEqual(
        events,
        events.map((_, at) => (at % 2 === 0 ? "pause" : "resume")),
      );
      assert.equal(events.length % 2, 0);
    }),
  );
});
