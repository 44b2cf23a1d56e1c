import assert from "node:assert/strict";
import { test } from "node:test";
import {
  capability,
  response,
  scriptedTpm,
  sessionResponse,
  sized,
  u16,
  u32,
} from "../transport/testing/scripted-tpm.ts";
import { readNv } from "./nv.ts";

const INDEX = 0x01800001;
const [NV_READ, NV_READ_PUBLIC] = [0x14e, 0x169];

interface Index {
  readonly bytes: number;
  readonly attributes?: number;
  /** The TPM's largest transfer; it does not say where this is left out. */
  readonly transfer?: number;
}

/** A TPM with one NV index whose byte n is n modulo 251. */
function withIndex({ bytes: length, attributes = 1 << 17, transfer }: Index) {
  const content = Uint8Array.from({ length }, (_, index) => index % 251);
  const { tpm, asked } = scriptedTpm(({ code, bytes }) => {
    if (code === NV_READ_PUBLIC)
      return response(0, [
        ...sized([...u32(INDEX), ...u16(0x0b), ...u32(attributes), ...sized(new Uint8Array(32)), ...u16(length)]),
        ...sized([]),
      ]);
    if (code !== NV_READ)
      return transfer === undefined ? capability(6, [], 0) : capability(6, [...u32(0x12c), ...u32(transfer)]);
    const [size, offset] = [bytes.readUInt16BE(bytes.length - 4), bytes.readUInt16BE(bytes.length - 2)];
    return sessionResponse(sized(content.subarray(offset, offset + size)));
  });
  const reads = () =>
    asked
      .filter(({ code }) => code === NV_READ)
      .map(({ bytes }) => [bytes.readUInt16BE(bytes.length - 4), bytes.readUInt16BE(bytes.length - 2)]);
  return { tpm, content, asked, reads };
}

test("an index is read whole, in pieces that the TPM and this reader both take", async () => {
  for (const [index, reads] of [
    [{ bytes: 0 }, []],
    [{ bytes: 512 }, [[512, 0]]],
    [
      { bytes: 513 },
      [
        [512, 0],
        [1, 512],
      ],
    ],
    [
      { bytes: 2, transfer: 0 },
      [
        [1, 0],
        [1, 1],
      ],
    ],
    [{ bytes: 1024, transfer: 4096 }, [[1024, 0]]],
    [
      { bytes: 1025, transfer: 4096 },
      [
        [1024, 0],
        [1, 1024],
      ],
    ],
  ] as const) {
    const found = withIndex(index);
    assert.deepEqual(await readNv(found.tpm, INDEX), found.content);
    assert.deepEqual(found.reads(), reads, JSON.stringify(index));
  }
});

test("the owner reads where the index allows it, else the index's own authorisation does", async () => {
  for (const [attributes, authorizer] of [
    [1 << 17, 0x40000001],
    [0xffff_ffff, 0x40000001],
    [1 << 16, INDEX],
    [1 << 18, INDEX],
  ] as const) {
    const { tpm, asked } = withIndex({ bytes: 4, attributes: attributes >>> 0 });
    await readNv(tpm, INDEX);
    const read = asked.find(({ code }) => code === NV_READ)?.bytes;
    assert.deepEqual([read?.readUInt32BE(10), read?.readUInt32BE(14)], [authorizer, INDEX]);
  }
});

test("an index of 16 KiB is read, a larger one is not", async () => {
  assert.equal((await readNv(withIndex({ bytes: 16_384 }).tpm, INDEX)).length, 16_384);
  const larger = withIndex({ bytes: 16_385 });
  await assert.rejects(readNv(larger.tpm, INDEX), {
    code: "ATTESTATION_REPORT_UNAVAILABLE",
    message: /0x1800001 is larger than 16384/,
  });
  assert.deepEqual(larger.reads(), []);
});
