import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { SAMPLES, sample } from "./testing/samples.ts";
import { unxz } from "./xz.ts";

/** A check of blocks that the decompressor cannot compare. */
const UNCHECKED = "mixed, SHA-256 check, small blocks";

for (const [name, { sha256, bytes, packed }] of SAMPLES) {
  if (name === UNCHECKED) continue;
  test(`what XZ Utils packed is unpacked: ${name}`, async () => {
    const unpacked = await unxz(packed);
    assert.equal(unpacked.length, bytes);
    assert.equal(createHash("sha256").update(unpacked).digest("hex"), sha256);
  });
}

test("a check that cannot be compared is refused", async () => {
  await assert.rejects(unxz(sample(UNCHECKED)), { code: "IMAGE_INPUT_INVALID" });
});

test("a file that ends early, is damaged or is none is refused, and the next file is still unpacked", async () => {
  const whole = sample("a tar archive");
  const damaged = Uint8Array.from(whole);
  damaged[60] = (damaged[60] ?? 0) ^ 1;
  for (const bytes of [new Uint8Array(0), Uint8Array.of(1, 2, 3), whole.slice(0, 100), whole.slice(0, -4), damaged])
    await assert.rejects(unxz(bytes), { code: "IMAGE_INPUT_INVALID" });
  assert.equal((await unxz(whole)).length, SAMPLES.get("a tar archive")?.bytes);
});
