import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { bytesOf, piecesOf, streamOf } from "../testing/streams.ts";
import { paddedLength, padMessage, padStream } from "./padding.ts";

test("a message is padded to the next power of two, from 512 bytes", () => {
  for (const [length, padded] of [
    [0, 512],
    [1, 512],
    [512, 512],
    [513, 1_024],
    [1_024, 1_024],
    [1_025, 2_048],
    [1_048_577, 2_097_152],
  ] as const)
    assert.equal(paddedLength(length), padded);
});

test("property: what is padded begins with the message, goes on with zeros, and ends at a power of two", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (bytes) => {
      const padded = padMessage(bytes);
      assert.equal(Math.log2(padded.length) % 1, 0);
      assert.deepEqual(padded.subarray(0, bytes.length), new Uint8Array(bytes));
      assert.ok(padded.subarray(bytes.length).every((byte) => byte === 0));
      assert.deepEqual(await bytesOf(padStream(streamOf(bytes))), padded);
    }),
  );
});

test("the padding of a stream comes in bounded pieces", async () => {
  const pieces = await piecesOf(padStream(streamOf(new Uint8Array(65_537))));
  assert.deepEqual(
    pieces.map(({ length }) => length),
    [65_537, 16_384, 16_384, 16_384, 16_383],
  );
  assert.equal((await piecesOf(padStream(streamOf(new Uint8Array(512))))).length, 1, "nothing is added to a whole one");
});
