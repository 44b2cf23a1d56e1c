import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { examine, untrusted } from "@cmcp/boundary";
import { decodeMap, encodeMap } from "./codec.ts";
import { decodeFrame, encodeFrame, type Frame } from "./frame.ts";
import { LENGTH_PREFIX_BYTES, MAX_DATA_BYTES, MAX_EXCHANGE_NUMBER } from "./limits.ts";
import { decodePlainFrame } from "./plain-frame.ts";

const exchange = fc.oneof(
  fc.constantFrom(1, 23, 24, 255, 256, 65_535, 65_536, MAX_EXCHANGE_NUMBER),
  fc.integer({ min: 1, max: MAX_EXCHANGE_NUMBER }),
);
const data = fc.uint8Array({ minLength: 1, maxLength: 300 });
const frame: fc.Arbitrary<Frame> = fc.oneof(
  exchange.map((x): Frame => ({ t: "end", x })),
  exchange.map((x): Frame => ({ t: "response", x, status: 200, headers: {} })),
  fc.tuple(exchange, data).map(([x, bytes]): Frame => ({ t: "body", x, data: bytes })),
);

test("writes the very bytes the general encoder writes, and reads them back", () => {
  fc.assert(
    fc.property(frame, (one) => {
      const wire = encodeFrame(one);
      assert.deepEqual(wire.subarray(LENGTH_PREFIX_BYTES), Buffer.from(encodeMap(one)));
      assert.deepEqual(
        { ...decodePlainFrame(wire.subarray(LENGTH_PREFIX_BYTES)) },
        { ...one, ...(one.t === "body" ? { data: Buffer.from(one.data) } : {}) },
      );
    }),
  );
});

test("recognises nothing the general decoder refuses or reads otherwise, over mutated frames", () => {
  fc.assert(
    fc.property(
      frame,
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom("set", "cut", "add"),
      (one, place, byte, kind) => {
        const bytes = Buffer.from(encodeFrame(one).subarray(LENGTH_PREFIX_BYTES));
        const at = place % bytes.length;
        const changed =
          kind === "set"
            ? Buffer.from(bytes.map((value, index) => (index === at ? byte : value)))
            : kind === "cut"
              ? bytes.subarray(0, at)
              : Buffer.concat([bytes, Buffer.of(byte)]);
        const plain = decodePlainFrame(changed);
        if (plain === null) return;
        const general = decodeMap(untrusted(changed));
        assert.deepEqual(
          { ...general, data: general["data"] instanceof Uint8Array ? Buffer.from(general["data"]) : undefined },
          { ...plain, data: plain.t === "body" ? Buffer.from(plain.data) : undefined },
        );
      },
    ),
    { numRuns: 2_000 },
  );
});

test("bounds hold on both ways", () => {
  assert.throws(() => encodeFrame({ t: "body", x: 1, data: new Uint8Array(MAX_DATA_BYTES + 1) }), {
    code: "WIRE_MALFORMED",
  });
  assert.throws(() => encodeFrame({ t: "body", x: 1, data: new Uint8Array() }), { code: "WIRE_MALFORMED" });
  for (const x of [0, -1, 1.5, MAX_EXCHANGE_NUMBER + 1])
    assert.throws(() => encodeFrame({ t: "end", x }), { code: "WIRE_MALFORMED" });
  for (const t of ["body", "end"]) {
    const payload = encodeMap(t === "body" ? { t, x: 0, data: new Uint8Array(1) } : { t, x: 0 });
    assert.equal(decodePlainFrame(payload), null);
    assert.throws(() => decodeFrame(untrusted(payload)), { code: "WIRE_MALFORMED" });
  }
  const long = encodeMap({ t: "body", x: 1, data: new Uint8Array(MAX_DATA_BYTES + 1) });
  assert.equal(decodePlainFrame(examine(untrusted(long))), null);
});
