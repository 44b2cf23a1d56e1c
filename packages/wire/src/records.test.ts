import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { CmcpError, untrusted } from "@cmcp/boundary";
import { MAX_IDENTIFIER } from "./limits.ts";
import { MAX_APPENDED_RECORDS, decodeRecords, encodeRecords, type WireRecord } from "./records.ts";

const identifier = fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/);
const record: fc.Arbitrary<WireRecord> = fc.record({
  session: identifier,
  kind: identifier,
  bytes: fc.uint8Array({ maxLength: 200 }),
});
const plain = (records: readonly WireRecord[]): object[] =>
  records.map(({ session, kind, bytes }) => ({ session, kind, bytes: Buffer.from(bytes).toString("hex") }));

test("what is written is read back", () => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (records) =>
      assert.deepEqual(plain(decodeRecords(untrusted(encodeRecords(records)))), plain(records)),
    ),
  );
});

test("any bytes are records or a typed reject, and what is read is written the same", () => {
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc
      .tuple(fc.array(record, { minLength: 1, maxLength: 3 }), fc.nat(), fc.nat({ max: 255 }))
      .map(([records, place, byte]) => {
        const bytes = Buffer.from(encodeRecords(records));
        bytes[place % bytes.length] = byte;
        return bytes;
      }),
  );
  fc.assert(
    fc.property(bodies, (body) => {
      try {
        assert.deepEqual(Buffer.from(encodeRecords(decodeRecords(untrusted(body)))), Buffer.from(body));
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError && ["WIRE_MALFORMED", "WIRE_TRUNCATED"].includes(thrown.code));
      }
    }),
    { numRuns: 1_000 },
  );
});

test("every prefix of a body but whole records is refused", () => {
  const first = encodeRecords([{ session: "s", kind: "k", bytes: Buffer.from("one") }]);
  const body = Buffer.concat([first, first]);
  for (let length = 0; length < body.length; length += 1) {
    if (length === first.length) continue;
    assert.throws(() => decodeRecords(untrusted(body.subarray(0, length))), { name: "CmcpError" }, String(length));
  }
});

test("bounds hold on both ways", () => {
  const one: WireRecord = { session: "s", kind: "k", bytes: new Uint8Array() };
  assert.equal(MAX_APPENDED_RECORDS, 256);
  const many = Array.from({ length: MAX_APPENDED_RECORDS + 1 }, () => one);
  assert.equal(decodeRecords(untrusted(encodeRecords(many.slice(1)))).length, 256);
  assert.throws(() => encodeRecords(many), { code: "WIRE_MALFORMED" });
  assert.throws(() => decodeRecords(untrusted(Buffer.concat([encodeRecords(many.slice(1)), encodeRecords([one])]))), {
    code: "WIRE_MALFORMED",
  });
  for (const bad of ["", "a/b", "a".repeat(MAX_IDENTIFIER + 1)]) {
    assert.throws(() => encodeRecords([{ ...one, session: bad }]), { code: "WIRE_MALFORMED" });
    assert.throws(() => encodeRecords([{ ...one, kind: bad }]), { code: "WIRE_MALFORMED" });
  }
  assert.throws(() => decodeRecords(untrusted(Buffer.from([1, 0x2f, 1, 0x73, 0, 0, 0, 0]))), {
    code: "WIRE_MALFORMED",
  });
  assert.throws(() => decodeRecords(untrusted(Buffer.from([1, 0x6b, 1, 0x73, 0xff, 0xff, 0xff, 0xff]))), {
    code: "WIRE_TRUNCATED",
  });
});
