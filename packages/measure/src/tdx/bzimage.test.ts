import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { authenticodeDigest } from "../pe/authenticode.ts";
import { openPe } from "../pe/image.ts";
import { toHex } from "@cmcp/boundary";
import { NO_SHARED_FOLDER } from "../../../appraise/src/testing/shared.ts";
import { downloaded, NO_DOWNLOADS } from "../testing/downloads.ts";
import { BOOTS, TDX_GOLDEN } from "../testing/vectors.ts";
import { qemuPatchedKernel } from "./bzimage.ts";

const GIB = 2 ** 30;

/** A setup header as a kernel of boot protocol 2.15 has it. */
function kernel(change: (header: Buffer) => void = () => undefined): Buffer {
  const header = Buffer.alloc(0x400);
  header.write("HdrS", 0x202, "latin1");
  header.writeUInt16LE(0x20f, 0x206);
  header.writeUInt8(1, 0x211);
  header.writeUInt32LE(0x7fff_ffff, 0x22c);
  header.writeUInt16LE(0x7f, 0x236);
  change(header);
  return header;
}

const initrdAt = (memory: number, size = 0x10_0000, header = kernel()): number =>
  Buffer.from(qemuPatchedKernel(header, memory, size)).readUInt32LE(0x218);

test("golden digests of a kernel that QEMU patched", (t) => {
  const file = downloaded(BOOTS.kernel.file, BOOTS.kernel.sha256);
  if (TDX_GOLDEN === null) return t.skip(NO_SHARED_FOLDER);
  if (file === null) return t.skip(NO_DOWNLOADS);
  for (const [memory, digest] of Object.entries(TDX_GOLDEN.kernel.authenticode_sha384_qemu_patched)) {
    assert.equal(
      toHex(authenticodeDigest(openPe(qemuPatchedKernel(file, Number.parseFloat(memory) * GIB, 113)), "sha384")),
      digest,
      memory,
    );
  }
});

test("the header is filled in as QEMU does, in a copy", () => {
  const original = kernel();
  const before = Buffer.from(original);
  const patched = Buffer.from(qemuPatchedKernel(original, 2 * GIB, 0x1234));
  assert.deepEqual(original, before);
  const seen = [
    patched.readUInt8(0x210),
    patched.readUInt8(0x211),
    patched.readUInt32LE(0x224),
    patched.readUInt32LE(0x228),
    patched.readUInt32LE(0x218),
    patched.readUInt32LE(0x21c),
  ];
  assert.deepEqual(seen, [0xb0, 0x81, 0xfe00, 0x2_0000, 0x7ffd_6000, 0x1234]);
  const ramdisk = (size: number | null): number[] => {
    const header = Buffer.from(qemuPatchedKernel(original, 2 * GIB, size));
    return [header.readUInt32LE(0x218), header.readUInt32LE(0x21c)];
  };
  assert.deepEqual(ramdisk(null), [0, 0]);
  assert.deepEqual(ramdisk(0), [0x7ffd_7000, 0], "an empty file has an address too");
});

test("the initrd lies at the end of low memory, below what the kernel can reach", () => {
  assert.equal(initrdAt(2 * GIB), initrdAt(64 * GIB));
  assert.equal(initrdAt(0xb000_0000), initrdAt(64 * GIB));
  assert.notEqual(initrdAt(0xb000_0000 - 4096), initrdAt(0xb000_0000));
  const low = kernel((header) => {
    header.writeUInt16LE(0, 0x236);
    header.writeUInt32LE(0x1000_0000, 0x22c);
  });
  assert.equal(initrdAt(2 * GIB, 4096, low), 0x1000_0000 - 4096);
});

const REFUSED: Readonly<Record<string, readonly [RegExp, Buffer]>> = {
  nothing: [/not in its 0 bytes/, Buffer.alloc(0)],
  "a cut header": [/not in its/, kernel().subarray(0, 0x237)],
  "no bzImage": [/not a bzImage/, Buffer.alloc(0x400)],
  "an old protocol": [/older than 2\.12/, kernel((header) => header.writeUInt16LE(0x20b, 0x206))],
  "a kernel below 1 MiB": [/above 1 MiB/, kernel((header) => header.writeUInt8(0, 0x211))],
};

for (const [name, [message, file]] of Object.entries(REFUSED)) {
  test(`a kernel is refused: ${name}`, () => {
    assert.throws(() => qemuPatchedKernel(file, 2 * GIB, null), { code: "MEASURE_INPUT_INVALID", message });
  });
}

test("an initrd is refused that does not fit into the memory", () => {
  assert.throws(() => qemuPatchedKernel(kernel(), 0x100_0000, 0x100_0000), {
    code: "MEASURE_INPUT_INVALID",
    message: /do not fit/,
  });
  assert.throws(() => qemuPatchedKernel(kernel(), 4096, 1), { code: "MEASURE_INPUT_INVALID", message: /do not fit/ });
});

test("no header makes the patch do anything but refuse", () => {
  const changes = fc.array(fc.tuple(fc.integer({ min: 0x1f0, max: 0x240 }), fc.nat(255)), { maxLength: 5 });
  fc.assert(
    fc.property(changes, fc.nat(2 ** 31 - 1), fc.nat(2 ** 31 - 1), (edits, memory, size) => {
      const file = kernel((header) => {
        for (const [at, value] of edits) header.writeUInt8(value, at);
      });
      try {
        assert.equal(qemuPatchedKernel(file, memory, size).length, file.length);
      } catch (thrown) {
        assert.equal((thrown as { code?: string }).code, "MEASURE_INPUT_INVALID", String(thrown));
      }
    }),
  );
});
