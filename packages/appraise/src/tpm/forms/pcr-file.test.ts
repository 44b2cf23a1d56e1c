import assert from "node:assert/strict";
import { test } from "node:test";
import { looksLikePcrFile, readPcrFile } from "./pcr-file.ts";

interface Selection {
  readonly bank: number;
  readonly bitmap: readonly number[];
  /** Bytes the bitmap says it has. */
  readonly length?: number;
}

/** A PCR file as tpm2-tools writes its C structures, in little endian. */
function pcrFile(
  selections: readonly Selection[],
  lists: readonly (readonly Uint8Array[])[],
  count = selections.length,
) {
  const file = Buffer.alloc(4 + 16 * 8 + 4 + lists.length * (4 + 8 * 66));
  file.writeUInt32LE(count, 0);
  for (const [index, { bank, bitmap, length = bitmap.length }] of selections.entries()) {
    const at = 4 + 8 * index;
    file.writeUInt16LE(bank, at);
    file[at + 2] = length;
    file.set(bitmap, at + 3);
  }
  file.writeUInt32LE(lists.length, 132);
  for (const [list, digests] of lists.entries()) {
    const at = 136 + list * 532;
    file.writeUInt32LE(digests.length, at);
    for (const [index, digest] of digests.slice(0, 8).entries()) {
      file.writeUInt16LE(digest.length, at + 4 + index * 66);
      file.set(digest.subarray(0, 64), at + 6 + index * 66);
    }
  }
  return Uint8Array.from(file);
}

const digest = (fill: number, length = 32): Uint8Array => new Uint8Array(length).fill(fill);
const refused = (message: RegExp) => ({ code: "EVIDENCE_MALFORMED", message });

test("values are read in the order of the selections, from one list after another", () => {
  const all = Array.from({ length: 24 }, (_, register) => digest(register + 1));
  const lists = [all.slice(0, 8), all.slice(8, 16), all.slice(16), [digest(99, 48)]];
  const file = pcrFile(
    [
      { bank: 0x0b, bitmap: [0xff, 0xff, 0xff] },
      { bank: 0x0c, bitmap: [0, 0, 0x80] },
    ],
    lists,
  );
  assert.ok(looksLikePcrFile(file));
  assert.deepEqual(
    readPcrFile(file),
    new Map([
      [0x0b, new Map(all.entries())],
      [0x0c, new Map([[23, digest(99, 48)]])],
    ]),
  );
});

test("counts end where the structures do", () => {
  const one = { bank: 0x0b, bitmap: [1] };
  const sixteen = Array.from({ length: 16 }, (_, index) => ({ bank: 0x0b, bitmap: [1 << (index & 7), 0, 0] }));
  const values = Array.from({ length: 16 }, () => digest(1));
  assert.equal(readPcrFile(pcrFile(sixteen, [values.slice(0, 8), values.slice(8)])).get(0x0b)?.size, 8);
  assert.throws(() => readPcrFile(pcrFile([one], [[digest(1)]], 17)), refused(/17 selections/));
  assert.throws(() => readPcrFile(pcrFile([{ ...one, length: 4 }], [[digest(1)]])), refused(/bitmap of 4 bytes/));
  assert.throws(() => readPcrFile(pcrFile([one], [Array.from({ length: 9 }, () => digest(1))])), refused(/list of 9/));
  const lists = (count: number): Uint8Array =>
    pcrFile([one], [[digest(1)], ...Array.from({ length: count - 1 }, () => [])]);
  assert.equal(readPcrFile(lists(48)).get(0x0b)?.size, 1);
  assert.throws(() => readPcrFile(lists(49)), refused(/49 lists/));
});

test("as many values as registers, each as long as its bank's, and nothing behind them", () => {
  const one = { bank: 0x0b, bitmap: [1] };
  for (const digests of [[], [digest(1), digest(1)], [digest(1, 65)]])
    assert.throws(() => readPcrFile(pcrFile([one], [digests])), refused(/values for 1 registers/));
  for (const length of [20, 31, 33, 64])
    assert.throws(() => readPcrFile(pcrFile([one], [[digest(1, length)]])), refused(/another length/));
  assert.throws(() => readPcrFile(pcrFile([{ ...one, bank: 0x99 }], [[digest(1)]])), refused(/another length/));
  assert.throws(() => readPcrFile(Uint8Array.from([...pcrFile([one], [[digest(1)]]), 0])), refused(/bytes too many/));
});

test("a file is told by its length and by the count that it begins with", () => {
  const file = pcrFile([{ bank: 0x0b, bitmap: [1] }], [[digest(1)]]);
  assert.ok(looksLikePcrFile(file) && looksLikePcrFile(file.with(0, 16)));
  const list = new Uint8Array(532);
  assert.ok(looksLikePcrFile(Uint8Array.from([...file, ...new Uint8Array(47 * 532)])));
  for (const other of [
    new Uint8Array(),
    file.with(0, 0),
    file.with(0, 17),
    file.subarray(0, -532),
    file.subarray(1),
    Uint8Array.from([...file, 0]),
    Uint8Array.from([...file, ...new Uint8Array(48 * list.length)]),
  ])
    assert.ok(!looksLikePcrFile(other), `${other.length} bytes`);
});
