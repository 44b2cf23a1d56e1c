import assert from "node:assert/strict";
import { test } from "node:test";
import { examine, untrusted } from "@cmcp/boundary";
import * as fc from "fast-check";
import { decodeFrame, encodeFrame } from "./frame.ts";
import { Framer } from "./framer.ts";
import { MAX_FRAME_BYTES } from "./limits.ts";
import { frame } from "./testing/arbitrary.ts";

function split(chunks: readonly Uint8Array[]): { payloads: string[]; atBoundary: boolean } {
  const framer = new Framer();
  const payloads: string[] = [];
  for (const chunk of chunks) {
    framer.push(untrusted(chunk), (payload) => {
      payloads.push(Buffer.from(examine(payload)).toString("hex"));
    });
  }
  return { payloads, atBoundary: framer.atBoundary };
}

function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const points = [0, ...at.map((point) => point % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return points.slice(1).map((end, index) => bytes.subarray(points[index], end));
}

test("any chunking of the same bytes gives the same frames", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(200_000), { maxLength: 20 }),
      (frames, points) => {
        const wire = Buffer.concat(frames.map((each) => encodeFrame(each)));
        const whole = split([wire]);
        assert.equal(whole.payloads.length, frames.length);
        assert.deepEqual(split(cut(wire, points)), whole);
        if (wire.length < 4096) assert.deepEqual(split(Array.from(wire, (byte) => Uint8Array.of(byte))), whole);
        assert.deepEqual(
          whole.payloads.map((payload) => encodeFrame(decodeFrame(untrusted(Buffer.from(payload, "hex")))).toString()),
          frames.map((each) => encodeFrame(each).toString()),
        );
      },
    ),
    { numRuns: 200 },
  );
});

test("every proper prefix of a frame needs more, and only the whole is at a boundary", () => {
  fc.assert(
    fc.property(frame, (each) => {
      const wire = encodeFrame(each);
      const stops = new Set([1, 2, 3, 4, 5, wire.length - 1]);
      for (let at = 6; at < wire.length; at += Math.max(1, Math.floor(wire.length / 50))) stops.add(at);
      for (const at of stops) assert.deepEqual(split([wire.subarray(0, at)]), { payloads: [], atBoundary: false });
      assert.equal(split([wire]).atBoundary, true);
    }),
    { numRuns: 100 },
  );
});

test("every prefix of arbitrary bytes needs more or is rejected, holding at most one frame", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
      const framer = new Framer();
      try {
        for (const byte of bytes) framer.push(untrusted(Uint8Array.of(byte)), () => undefined);
      } catch (thrown) {
        assert.ok(["WIRE_FRAME_TOO_LARGE", "WIRE_MALFORMED"].includes((thrown as { code: string }).code));
      }
    }),
    { numRuns: 300 },
  );
});

test("an absurd length is rejected at its last prefix byte, before any payload and without allocation", () => {
  for (const length of [MAX_FRAME_BYTES + 1, 0x7fff_ffff, 0xffff_ffff]) {
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(length);
    const framer = new Framer();
    const ignore = (): void => undefined;
    framer.push(untrusted(prefix.subarray(0, 3)), ignore);
    const before = process.memoryUsage().arrayBuffers;
    assert.throws(
      () => {
        framer.push(untrusted(prefix.subarray(3)), ignore);
      },
      { code: "WIRE_FRAME_TOO_LARGE" },
    );
    assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
  }
});

test("the largest frame passes and an empty one does not", () => {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(MAX_FRAME_BYTES);
  assert.equal(split([Buffer.concat([prefix, Buffer.alloc(MAX_FRAME_BYTES)])]).payloads.length, 1);
  assert.throws(() => split([Buffer.alloc(4)]), { code: "WIRE_MALFORMED" });
});
