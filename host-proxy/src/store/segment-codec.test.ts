/** Compressed segments that are not what was stored: bombs, and what is cut off or changed. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { CmcpError } from "@cmcp/boundary";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { Archive } from "./archive.ts";
import {
  COMPRESSED_BYTES,
  compressSegment,
  decodeSegment,
  decodeSegmentSync,
  FORM_ARCHIVED,
  FORM_ZSTD,
  SEGMENT_BYTES,
  type EncodedSegment,
} from "./segment-codec.ts";
import type { Segment } from "./segment.ts";

const DAMAGED = { code: "AUDIT_STORE_DAMAGED" };

/** 1 GiB of zeros, in some 32 KiB. */
const BOMB = zstdCompressSync(Buffer.alloc(1024 * 1024 * 1024));

const segmentOf = (bytes: Uint8Array, length: number, form = FORM_ZSTD): EncodedSegment => ({
  first: 0,
  count: 1,
  form,
  length,
  note: "",
  bytes,
});

for (const length of [1, 1000, SEGMENT_BYTES])
  test(`a bomb that says ${length} bytes is refused`, async () => {
    const segment = segmentOf(BOMB, length);
    await assert.rejects(decodeSegment(segment, null), DAMAGED);
    assert.throws(() => decodeSegmentSync(segment), DAMAGED);
  });

test("a segment that says more bytes than one has is refused before it is decompressed", async () => {
  for (const length of [0, SEGMENT_BYTES + 1, 2 ** 40])
    await assert.rejects(decodeSegment(segmentOf(BOMB, length), null), {
      ...DAMAGED,
      message: /a segment of \d+ bytes/,
    });
});

test("a bomb in an archive's file is refused, under its right digest too", async (t) => {
  const folder = temporaryDirectory(t);
  const archive = new Archive(folder);
  writeFileSync(join(folder, "000000000000000-1.zst"), BOMB);
  const segment = segmentOf(hash("sha256", BOMB, "buffer"), 1000, FORM_ARCHIVED);
  await assert.rejects(
    decodeSegment(segment, async (one) => archive.read(one)),
    { ...DAMAGED, message: /a damaged segment at 0$/ },
  );
});

test("a file of the archive that is larger than any segment is refused unread", async (t) => {
  const folder = temporaryDirectory(t);
  const large = Buffer.alloc(COMPRESSED_BYTES + 1);
  writeFileSync(join(folder, "000000000000000-1.zst"), large);
  const segment = segmentOf(hash("sha256", large, "buffer"), 1000, FORM_ARCHIVED);
  await assert.rejects(new Archive(folder).read(segment), { ...DAMAGED, message: /bytes in its archive$/ });
});

test("what is cut off is refused, and what is changed is refused or means the same", async () => {
  const plain = Buffer.from("a".repeat(500) + "b".repeat(500));
  const bytes = await compressSegment(plain);
  assert.deepEqual((await decodeSegment(segmentOf(bytes, 1000), null)).bytes, plain);
  for (let at = 0; at < bytes.length; at += 1) {
    await assert.rejects(decodeSegment(segmentOf(bytes.subarray(0, at), 1000), null), DAMAGED, `cut at ${at}`);
    const changed = bytes.map((byte, place) => (place === at ? byte ^ 1 : byte));
    const decoded = await decodeSegment(segmentOf(changed, 1000), null).catch((thrown: unknown) => thrown);
    if (decoded instanceof CmcpError) assert.equal(decoded.code, DAMAGED.code, `changed at ${at}`);
    else assert.deepEqual((decoded as Segment).bytes, plain, `changed at ${at}`);
  }
});

test("what does not compress fits the bound of a file", async () => {
  const random = Buffer.from(hash("sha256", "seed", "buffer"));
  const noise = Buffer.alloc(1024 * 1024);
  for (let at = 0; at < noise.length; at += 32)
    hash("sha256", Buffer.concat([random, Buffer.of(at / 32)]), "buffer").copy(noise, at);
  const { length } = await compressSegment(noise);
  assert.ok(length < noise.length + noise.length / 128 + 64 * 1024);
});
