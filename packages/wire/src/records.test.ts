import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import * as fc from "fast-check";
import { CmcpError, examine, untrusted } from "@cmcp/boundary";
import { MAX_IDENTIFIER } from "./limits.ts";
import {
  decodeBatch,
  decodeScanned,
  encodeBatch,
  encodeScanned,
  MAX_APPENDED_RECORDS,
  MAX_LEAF_BYTES,
  MAX_NOTE_BYTES,
  type WireBatch,
  type WireRecord,
} from "./records.ts";

const identifier = fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/);
const record: fc.Arbitrary<WireRecord> = fc.record({
  session: identifier,
  kind: identifier,
  leaf: fc.uint8Array({ maxLength: 60 }),
  body: fc.uint8Array({ maxLength: 200 }),
});
const note = fc.string({ unit: "grapheme", maxLength: 40 }).filter((text) => text.isWellFormed());
const batch = fc.record({ note, records: fc.array(record, { minLength: 1, maxLength: 20 }) });
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const plain = ({ note: text, records }: WireBatch): object => ({
  text,
  records: records.map(({ session, kind, leaf, body }) => ({ session, kind, leaf: hex(leaf), body: hex(body) })),
});

test("a batch is read back as it was written", () => {
  fc.assert(
    fc.property(batch, (given) => assert.deepEqual(plain(decodeBatch(untrusted(encodeBatch(given)))), plain(given))),
  );
});

test("any bytes are a batch or a typed reject, and what is read is written the same", () => {
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.tuple(batch, fc.nat(), fc.nat({ max: 255 })).map(([given, place, byte]) => {
      const bytes = Buffer.from(encodeBatch({ ...given, records: given.records.slice(0, 3) }));
      bytes[place % bytes.length] = byte;
      return bytes;
    }),
  );
  fc.assert(
    fc.property(bodies, (body) => {
      try {
        assert.deepEqual(Buffer.from(encodeBatch(decodeBatch(untrusted(body)))), Buffer.from(body));
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError && ["WIRE_MALFORMED", "WIRE_TRUNCATED"].includes(thrown.code));
      }
    }),
    { numRuns: 1_000 },
  );
});

const one: WireRecord = { session: "s", kind: "k", leaf: Buffer.from("leaf"), body: Buffer.from("body") };

test("every prefix of a batch but whole records is refused", () => {
  const first = encodeBatch({ note: "n", records: [one] });
  const body = encodeBatch({ note: "n", records: [one, one] });
  for (let length = 0; length < body.length; length += 1) {
    if (length === first.length) continue;
    assert.throws(() => decodeBatch(untrusted(body.subarray(0, length))), { name: "CmcpError" }, String(length));
  }
});

test("the limits of a batch hold for writer and reader", () => {
  const many = Array.from({ length: MAX_APPENDED_RECORDS + 1 }, () => one);
  assert.throws(() => encodeBatch({ note: "", records: many }), { code: "WIRE_MALFORMED" });
  const most = Buffer.from(encodeBatch({ note: "", records: many.slice(1) }));
  const more = Buffer.concat([most, encodeBatch({ note: "", records: [one] }).subarray(2)]);
  assert.equal(decodeBatch(untrusted(most)).records.length, MAX_APPENDED_RECORDS);
  assert.throws(() => decodeBatch(untrusted(more)), { code: "WIRE_MALFORMED" });
  for (const bad of ["", "a/b", "a".repeat(MAX_IDENTIFIER + 1)]) {
    assert.throws(() => encodeBatch({ note: "", records: [{ ...one, session: bad }] }), { code: "WIRE_MALFORMED" });
    assert.throws(() => encodeBatch({ note: "", records: [{ ...one, kind: bad }] }), { code: "WIRE_MALFORMED" });
  }
  const leaf = new Uint8Array(MAX_LEAF_BYTES + 1);
  assert.throws(() => encodeBatch({ note: "", records: [{ ...one, leaf }] }), { code: "WIRE_MALFORMED" });
  assert.throws(() => encodeBatch({ note: "n".repeat(MAX_NOTE_BYTES + 1), records: [one] }), {
    code: "WIRE_MALFORMED",
  });
  const written = Buffer.from(encodeBatch({ note: "", records: [one] }));
  const refused: readonly (readonly [number, string, string])[] = [
    [0, "1001", "WIRE_MALFORMED"],
    [0, "0fff", "WIRE_TRUNCATED"],
    [3, "2f", "WIRE_MALFORMED"],
    [6, "1001", "WIRE_MALFORMED"],
    [12, "ffffffff", "WIRE_TRUNCATED"],
  ];
  for (const [at, bytes, code] of refused) {
    const changed = Buffer.from(written);
    changed.write(bytes, at, "hex");
    assert.throws(() => decodeBatch(untrusted(changed)), { code }, `${at} ${bytes}`);
  }
  assert.throws(() => decodeBatch(untrusted(Buffer.from("0001ff016b0173000000000000", "hex"))), {
    code: "WIRE_MALFORMED",
  });
});

const shown = fc.record({
  index: fc.nat({ max: 2 ** 48 - 1 }),
  kind: identifier,
  leaf: fc.uint8Array({ maxLength: 60 }),
  body: fc.uint8Array({ maxLength: 200 }),
});

async function scanned(chunks: readonly Uint8Array[], maxBody = 1_000): Promise<object[]> {
  const read: object[] = [];
  const body = Readable.from(chunks.map((chunk) => untrusted(chunk)));
  for await (const { index, kind, leaf, body: bytes } of decodeScanned(body, maxBody))
    read.push({ index, kind, leaf: hex(examine(leaf)), body: hex(examine(bytes)) });
  return read;
}

test("what a scan shows is the same for any cut of its bytes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(shown, { maxLength: 8 }), fc.array(fc.nat({ max: 40 })), async (records, cuts) => {
      const bytes = encodeScanned(records.map((given) => given));
      const chunks: Uint8Array[] = [];
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        chunks.push(bytes.subarray(at, Math.min(at + cut, bytes.length)));
        at += cut;
      }
      assert.deepEqual(
        await scanned(chunks),
        records.map(({ index, kind, leaf, body }) => ({ index, kind, leaf: hex(leaf), body: hex(body) })),
      );
    }),
  );
});

test("a scan that is cut, or has a record over the limits, is refused", async () => {
  const bytes = encodeScanned([{ index: 1, ...one }]);
  for (let length = 1; length < bytes.length; length += 1)
    await assert.rejects(scanned([bytes.subarray(0, length)]), { code: "WIRE_TRUNCATED" }, String(length));
  await assert.rejects(scanned([bytes], 3), { code: "WIRE_MALFORMED" });
  const longLeaf = Buffer.from(bytes);
  longLeaf.writeUInt16BE(MAX_LEAF_BYTES + 1, 8);
  await assert.rejects(scanned([longLeaf]), { code: "WIRE_MALFORMED" });
});
