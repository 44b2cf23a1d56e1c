import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import * as fc from "fast-check";
import { SAMPLES, sample } from "../testing/samples.ts";
import { unxz } from "./unxz.ts";

const LIMIT = 64 * 1024;

for (const [name, { sha256, bytes, packed }] of SAMPLES) {
  test(`what XZ Utils packed is unpacked: ${name}`, () => {
    const unpacked = unxz(packed, LIMIT);
    assert.equal(unpacked.length, bytes);
    assert.equal(createHash("sha256").update(unpacked).digest("hex"), sha256);
  });
}

test("more than the limit is refused before it is held", () => {
  assert.throws(() => unxz(sample("repeated text"), 17_999), {
    code: "IMAGE_INPUT_INVALID",
    message: /larger than 17999 bytes/,
  });
  assert.equal(unxz(sample("repeated text"), 18_000).length, 18_000);
});

test("a file that ends early is refused, wherever it is cut", () => {
  for (const name of ["noise, stored plain", "mixed, SHA-256 check, small blocks", "two streams with padding"]) {
    const whole = sample(name);
    for (let length = 1; length < whole.length; length += 7) {
      // Cut between two streams it is a whole file with less in it.
      const cut = whole.subarray(0, length);
      try {
        assert.ok(unxz(cut, LIMIT).length < (SAMPLES.get(name)?.bytes ?? 0));
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError && thrown.code === "IMAGE_INPUT_INVALID");
      }
    }
  }
});

test("damaged bytes end in an error or in other bytes, never in anything else", () => {
  const names = [...SAMPLES.keys()];
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }),
      (name, damages) => {
        const bytes = Uint8Array.from(sample(name));
        for (const [at, change] of damages) bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ change;
        try {
          assert.ok(unxz(bytes, LIMIT).length <= LIMIT);
        } catch (thrown) {
          assert.ok(thrown instanceof CmcpError, String(thrown));
          assert.equal(thrown.code, "IMAGE_INPUT_INVALID");
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

test("other bytes are no xz file", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
      assert.throws(() => unxz(bytes, LIMIT), { code: "IMAGE_INPUT_INVALID" });
    }),
  );
});
