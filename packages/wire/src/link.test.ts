import assert from "node:assert/strict";
import { duplexPair, type Duplex } from "node:stream";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { CmcpError } from "@cmcp/boundary";
import { encodeFrame, type Frame } from "./frame.ts";
import { FrameLink } from "./link.ts";

const end: Frame = { t: "end", x: 1 };

function start(): { link: FrameLink; far: Duplex; frames: Frame[]; violations: string[]; ends: CmcpError[] } {
  const [near, far] = duplexPair();
  const [frames, violations, ends] = [[] as Frame[], [] as string[], [] as CmcpError[]];
  const link = new FrameLink(near, {
    frame: (frame) => void frames.push(frame),
    violated: ({ code }) => void violations.push(code),
    closed: (error) => void ends.push(error),
  });
  return { link, far, frames, violations, ends };
}

/** A body frame of so many bytes with its length. */
function bodyOf(bytes: number): Frame {
  const overhead = encodeFrame({ t: "body", x: 1, data: new Uint8Array(1_000) }).length - 1_000;
  return { t: "body", x: 1, data: new Uint8Array(bytes - overhead) };
}

test("a link is idle for as long as nothing was sent, received or taken", async (t) => {
  let begun = 0;
  let elapse = (): void => undefined;
  t.mock.method(globalThis, "setTimeout", (passed: () => void, ms: number) => {
    assert.equal(ms, 1_000);
    elapse = passed;
    const timer = { refresh: () => ((begun += 1), timer), unref: () => timer };
    return timer;
  });
  const { link, far, frames, violations } = start();
  link.watchIdle(1_000);
  link.send(end);
  link.flush();
  assert.equal(begun, 1, "sent");
  link.flush();
  assert.equal(begun, 1, "nothing to send");
  far.write(encodeFrame(end));
  await turn();
  assert.deepEqual([begun, frames.length], [2, 1], "received");
  while (!link.congested) {
    link.send(bodyOf(16_384));
    link.flush();
  }
  const sent = begun;
  const drained = link.drained();
  far.resume();
  await drained;
  assert.deepEqual([begun, link.congested], [sent + 1, false], "taken");
  elapse();
  assert.deepEqual(violations, ["WIRE_IDLE_TIMEOUT"]);
});

test("frames leave together up to 32 KiB, and what does not fit leaves after them", async () => {
  const { link, far } = start();
  const chunks: number[] = [];
  far.on("data", (chunk: Buffer) => chunks.push(chunk.length));
  for (const bytes of [16_384, 16_384, 1_000]) link.send(bodyOf(bytes));
  await turn();
  assert.deepEqual(chunks.splice(0), [32_768, 1_000]);
  for (const bytes of [16_384, 16_385]) link.send(bodyOf(bytes));
  await turn();
  assert.deepEqual(chunks, [16_384, 16_385]);
});

test("a link that is closed sends nothing, and says once why", async () => {
  const { link, far, frames, ends } = start();
  const reason = { code: "WIRE_CLOSED", message: "the peer closed the stream" };
  link.send(end);
  await turn();
  far.end();
  await turn();
  await turn();
  assert.throws(() => link.send(end), reason);
  await assert.rejects(link.drained(), reason);
  link.finish();
  assert.deepEqual(
    ends.map(({ code, message }) => ({ code, message })),
    [reason],
  );
  assert.deepEqual([link.closed?.code, frames], ["WIRE_CLOSED", []]);
});
