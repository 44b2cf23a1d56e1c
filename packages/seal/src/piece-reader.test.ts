import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { concatBytes, EMPTY, latin1 } from "./bytes.ts";
import { PieceReader } from "./piece-reader.ts";
import { cut, streamOf } from "./testing/streams.ts";
import { varint } from "./varint.ts";

const readerOf = (...pieces: readonly Uint8Array[]): PieceReader => new PieceReader(streamOf(...pieces));

test("portions are the reader's, however the stream is cut, and empty pieces are passed over", async () => {
  for (const pieces of [
    [latin1("abcdef")],
    [latin1("ab"), EMPTY, latin1("cd"), latin1("ef")],
    [...latin1("abcdef")].map((byte) => Uint8Array.of(byte)),
  ]) {
    const reader = readerOf(EMPTY, ...pieces, EMPTY);
    assert.deepEqual(await reader.take(0), EMPTY);
    assert.deepEqual(await reader.take(3), latin1("abc"));
    assert.equal(await reader.ended(), false);
    assert.deepEqual(await reader.take(3), latin1("def"));
    assert.equal(await reader.ended(), true);
    assert.equal(await reader.take(1), null);
    assert.equal(await reader.some(1), null);
  }
});

test("what is there comes at once, and never more than was asked for", async () => {
  const reader = readerOf(latin1("abc"), latin1("de"));
  assert.deepEqual(await reader.some(2), latin1("ab"));
  assert.deepEqual(await reader.some(9), latin1("c"));
  assert.deepEqual(await reader.some(9), latin1("de"));
});

test("a portion that the stream does not have is none", async () => {
  assert.equal(await readerOf(latin1("ab"), latin1("c")).take(4), null);
  assert.equal(await readerOf(latin1("abcd")).take(5), null);
});

test("the rest has at most so many bytes", async () => {
  assert.deepEqual(await readerOf(latin1("ab"), latin1("c")).rest(3), latin1("abc"));
  assert.deepEqual(await readerOf(latin1("ab"), latin1("c")).rest(9), latin1("abc"));
  assert.deepEqual(await readerOf().rest(0), EMPTY);
  assert.equal(await readerOf(latin1("ab"), latin1("c")).rest(2), null);
  assert.equal(await readerOf(latin1("abc")).rest(2), null);
});

test("the source hears that nothing more is read, and then nothing is", async () => {
  let closed = false;
  async function* source(): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield await Promise.resolve(latin1("a"));
      yield latin1("b");
    } finally {
      closed = true;
    }
  }
  const reader = new PieceReader(source());
  assert.deepEqual(await reader.take(1), latin1("a"));
  await reader.close();
  assert.equal(closed, true);
  assert.equal(await reader.take(1), null);
});

test("a closed reader has nothing, not even what it held, and asks a source that cannot be told for nothing", async () => {
  let asked = 0;
  const source: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        asked += 1;
        return await Promise.resolve({ done: false, value: latin1("ab") });
      },
    }),
  };
  const reader = new PieceReader(source);
  assert.deepEqual(await reader.take(1), latin1("a"));
  await reader.close();
  assert.equal(await reader.take(1), null);
  assert.equal(asked, 1);
});

test("lengths in variable form: the examples of RFC 9000 appendix A.1", async () => {
  for (const [hex, value] of [
    ["9d7f3e7d", 494_878_333],
    ["7bbd", 15_293],
    ["25", 37],
  ] as const) {
    assert.deepEqual(varint(value), new Uint8Array(Buffer.from(hex, "hex")));
    assert.equal(await readerOf(Buffer.from(hex, "hex")).varint(), value);
  }
  assert.equal(await readerOf(Buffer.from("c2197c5eff14e88c", "hex")).varint(), Number(151_288_809_941_952_652n));
  assert.equal(await readerOf(Buffer.from("4025", "hex")).varint(), 37, "a longer form is taken");
});

test("property: a length is read as it was written, in the shortest form, from any cut, and not from less", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 63, 64, 16_383, 16_384, 2 ** 30 - 1, 2 ** 30, 2 ** 53 - 1)),
      async (value) => {
        const written = varint(value);
        assert.equal(written.length, value < 64 ? 1 : value < 16_384 ? 2 : value < 2 ** 30 ? 4 : 8);
        assert.equal(await readerOf(...cut(concatBytes(written, latin1("x")), [1])).varint(), value);
        for (let length = 0; length < written.length; length += 1)
          assert.equal(await readerOf(written.subarray(0, length)).varint(), null);
      },
    ),
  );
});

test("what is no length is not written", () => {
  for (const value of [-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])
    assert.throws(() => varint(value), { code: "USAGE" });
});
