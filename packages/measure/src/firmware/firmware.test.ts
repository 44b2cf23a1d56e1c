import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  buildFirmware,
  GUID,
  OVMF_SEV_SECTIONS,
  SEV_FIRMWARE,
  SEV_METADATA_FROM_END,
  TDVF_METADATA_FROM_END,
  TDVF_SECTIONS,
  TDX_FIRMWARE,
  type FirmwareRecipe,
} from "../testing/firmware.ts";
import { MAX_FIRMWARE, openFirmware } from "./firmware.ts";
import { guidBytes, guidText } from "./guid.ts";
import { apResetAddress, hashTableAddress, sevSections } from "./sev-metadata.ts";
import { tdvfSections } from "./tdvf-metadata.ts";

const INVALID = "MEASURE_INPUT_INVALID";
const SIZE = 8192;

/** Everything that is read of a firmware. */
function readAll(bytes: Uint8Array): void {
  const firmware = openFirmware(bytes);
  for (const read of [sevSections, tdvfSections, hashTableAddress, apResetAddress]) {
    try {
      read(firmware);
    } catch (thrown) {
      assert.equal((thrown as { code?: string }).code, INVALID, String(thrown));
    }
  }
}

function patched(recipe: FirmwareRecipe, at: number, ...bytes: number[]): Buffer {
  const image = buildFirmware(recipe);
  image.set(bytes, at);
  return image;
}

test("a GUID is stored with its first three fields little endian", () => {
  assert.equal(Buffer.from(guidBytes(GUID.footer)).toString("hex"), "de82b596b21ff745baeaa366c55a082d");
  assert.equal(guidText(guidBytes(GUID.tdxMetadata)), GUID.tdxMetadata);
});

test("table and sections are read in the order they stand", () => {
  const firmware = openFirmware(buildFirmware(SEV_FIRMWARE));
  assert.equal(firmware.gpa, 2 ** 32 - SIZE);
  assert.deepEqual([hashTableAddress(firmware), apResetAddress(firmware)], [0x81_0c00, 0x80_b004]);
  assert.deepEqual(
    sevSections(firmware).map(({ type }) => type),
    ["memory", "memory", "secrets", "cpuid", "svsm-caa", "memory", "kernel-hashes"],
  );
  assert.deepEqual(
    sevSections(firmware).map(({ gpa, size }) => [gpa, size]),
    OVMF_SEV_SECTIONS.map(([gpa, size]) => [gpa, size]),
  );
  assert.deepEqual(
    tdvfSections(openFirmware(buildFirmware(TDX_FIRMWARE))).map(({ type }) => type),
    ["BFV", "CFV", "TempMem", "TempMem", "TD_HOB", "TempMem"],
  );
});

test("sections of size zero are no memory", () => {
  const sections = sevSections(
    openFirmware(
      buildFirmware({
        ...SEV_FIRMWARE,
        sev: [
          [0, 0, 4],
          [0, 0, 1],
          [0x80_0000, 0x1000, 1],
        ],
      }),
    ),
  );
  assert.deepEqual(
    sections.map(({ size }) => size),
    [0, 0, 0x1000],
  );
  assert.equal(
    tdvfSections(
      openFirmware(
        buildFirmware({
          tdvf: [
            { gpa: 0, memory: 0, type: 3 },
            { gpa: 0, memory: 0, type: 3 },
          ],
        }),
      ),
    ).length,
    2,
  );
});

const TABLE_END = SIZE - 32 - 18;
const sevAt = (offset: number): number => SIZE - SEV_METADATA_FROM_END + offset;
const tdvfAt = (offset: number): number => SIZE - TDVF_METADATA_FROM_END + offset;
const rows = (count: number) =>
  Array.from({ length: count }, (_, index): [string, Uint8Array] => [
    guidText(Uint8Array.from({ length: 16 }, (_, at) => index + at)),
    new Uint8Array(),
  ]);

/** What is wrong, and the firmware it is wrong in. */
const REFUSED: Readonly<Record<string, readonly [RegExp, () => Uint8Array]>> = {
  "no bytes": [/whole pages/, () => new Uint8Array()],
  "half a page": [/whole pages/, () => buildFirmware(SEV_FIRMWARE).subarray(2048)],
  "too many bytes": [/whole pages/, () => new Uint8Array(MAX_FIRMWARE + 4096)],
  "no table": [/no GUIDed table/, () => new Uint8Array(4096)],
  "a table longer than the firmware": [
    /length leaves the firmware/,
    () => patched(SEV_FIRMWARE, TABLE_END, 0xff, 0xff),
  ],
  "a table shorter than its footer": [/length leaves the firmware/, () => patched(SEV_FIRMWARE, TABLE_END, 17, 0)],
  "an entry longer than the table": [/entry's length/, () => patched(SEV_FIRMWARE, TABLE_END - 18, 0xff, 0x7f)],
  "an entry shorter than its trailer": [/entry's length/, () => patched(SEV_FIRMWARE, TABLE_END - 18, 0, 0)],
  "a table that ends inside of an entry": [/inside of an entry/, () => patched(SEV_FIRMWARE, TABLE_END, 18 + 10, 0)],
  "a duplicate entry": [
    /duplicate entry/,
    () => buildFirmware({ ...SEV_FIRMWARE, entries: [[GUID.resetBlock, new Uint8Array(4)]] }),
  ],
  "too many entries": [/more than 64 entries/, () => buildFirmware({ entries: rows(65) })],
};

for (const [name, [message, make]] of Object.entries(REFUSED)) {
  test(`a firmware is refused: ${name}`, () => {
    assert.throws(() => openFirmware(make()), { code: INVALID, message });
  });
}

const section = (gpa: number, size: number, type = 1): FirmwareRecipe => ({
  ...SEV_FIRMWARE,
  sev: [
    [0x80_0000, 0x2000, 1],
    [gpa, size, type],
  ],
});

const SEV_REFUSED: Readonly<Record<string, readonly [RegExp, Buffer]>> = {
  "no entry": [/no SEV metadata entry/, buildFirmware({ reset: 1 })],
  "an entry too short for its offset": [
    /not in its 2 bytes/,
    buildFirmware({ entries: [[GUID.sevMetadata, new Uint8Array(2)]] }),
  ],
  "an offset before the firmware": [
    /not in its 8192 bytes/,
    buildFirmware({ entries: [[GUID.sevMetadata, Uint8Array.of(1, 0x20, 0, 0)]] }),
  ],
  "an offset after the firmware": [
    /not in its 8192 bytes/,
    buildFirmware({ entries: [[GUID.sevMetadata, Uint8Array.of(0, 0, 0, 0)]] }),
  ],
  "another signature": [/signature/, patched(SEV_FIRMWARE, sevAt(0), 0x42)],
  "another version": [/version 2/, patched(SEV_FIRMWARE, sevAt(8), 2)],
  "too many sections": [/at most 64/, patched(SEV_FIRMWARE, sevAt(12), 65)],
  "a size that does not hold the sections": [/does not hold/, patched(SEV_FIRMWARE, sevAt(4), 16 + 7 * 12 - 1)],
  "an unknown type": [/unknown section type 5/, buildFirmware(section(0x80_2000, 0x1000, 5))],
  "a type that JavaScript's objects know": [
    /unknown section type 4294967295/,
    buildFirmware(section(0x80_2000, 0x1000, 0xffff_ffff)),
  ],
  "an address inside of a page": [/whole pages/, buildFirmware(section(0x80_2001, 0x1000))],
  "a size that is no whole page": [/whole pages/, buildFirmware(section(0x80_2000, 0x1001))],
  "an overlap": [/overlaps/, buildFirmware(section(0x80_1000, 0x1000))],
  "an overlap from below": [/overlaps/, buildFirmware(section(0x7f_f000, 0x2000))],
  "memory where the firmware lies": [/out of range/, buildFirmware(section(2 ** 32 - SIZE, 0x1000))],
  "memory beyond 4 GiB": [/out of range/, buildFirmware(section(0xffff_f000, 0x2000))],
  "too much memory": [/at most 67108864/, buildFirmware(section(0x100_0000, 64 * 1024 * 1024))],
  "a CPUID section of two pages": [/instead of one page/, buildFirmware(section(0x80_2000, 0x2000, 3))],
  "a secrets section of no page": [/instead of one page/, buildFirmware(section(0x80_2000, 0, 2))],
  "a hashes section of two pages": [/instead of one page/, buildFirmware(section(0x80_2000, 0x2000, 16))],
};

for (const [name, [message, bytes]] of Object.entries(SEV_REFUSED)) {
  test(`SEV metadata is refused: ${name}`, () => {
    assert.throws(() => sevSections(openFirmware(bytes)), { code: INVALID, message });
  });
}

const tdvf = (row: Partial<(typeof TDVF_SECTIONS)[number]>): Buffer =>
  buildFirmware({
    tdvf: [
      { gpa: 0x80_0000, memory: 0x2000, type: 3 },
      { gpa: 0x90_0000, memory: 0x1000, type: 3, ...row },
    ],
  });

const TDVF_REFUSED: Readonly<Record<string, readonly [RegExp, Buffer]>> = {
  "no entry": [/no TDVF metadata entry/, buildFirmware(SEV_FIRMWARE)],
  "another signature": [/signature/, patched(TDX_FIRMWARE, tdvfAt(0), 0x42)],
  "another version": [/version 2/, patched(TDX_FIRMWARE, tdvfAt(8), 2)],
  "too many sections": [/at most 64/, patched(TDX_FIRMWARE, tdvfAt(12), 65)],
  "a size that does not hold the sections": [/does not hold/, patched(TDX_FIRMWARE, tdvfAt(4), 16 + 6 * 32 - 1)],
  "an unknown type": [/unknown section type 7/, tdvf({ type: 7 })],
  "unknown attributes": [/attributes 0x4/, tdvf({ attributes: 4 })],
  "pages added later and extended": [/attributes 0x3/, tdvf({ attributes: 3 })],
  "data beyond the file": [/not in its 8192 bytes/, tdvf({ offset: 0x2000, size: 1 })],
  "more data than memory": [/more data than memory/, tdvf({ offset: 0, size: 0x2000 })],
  "an address beyond 52 bits": [/out of range/, tdvf({ gpa: 2 ** 52 })],
  "memory that ends beyond 52 bits": [/out of range/, tdvf({ gpa: 2 ** 52 - 0x1000, memory: 0x2000 })],
  "a size beyond 52 bits": [/size is out of range/, tdvf({ memory: 2 ** 53 })],
  "an overlap": [/overlaps/, tdvf({ gpa: 0x80_1000 })],
  "an address inside of a page": [/whole pages/, tdvf({ gpa: 0x90_0001 })],
  "too much memory": [/at most 134217728/, tdvf({ memory: 128 * 1024 * 1024 })],
};

for (const [name, [message, bytes]] of Object.entries(TDVF_REFUSED)) {
  test(`TDVF metadata is refused: ${name}`, () => {
    assert.throws(() => tdvfSections(openFirmware(bytes)), { code: INVALID, message });
  });
}

test("memory that is added after launch may be large and may be anywhere", () => {
  assert.equal(
    tdvfSections(openFirmware(tdvf({ gpa: 0, memory: 2 ** 40, type: 4, attributes: 2 })))[1]?.addedLater,
    true,
  );
});

test("no bytes and no change of good bytes make a reader do anything but refuse", () => {
  const recipe: FirmwareRecipe = { ...SEV_FIRMWARE, tdvf: TDVF_SECTIONS };
  const interesting = fc.oneof(
    fc.integer({ min: sevAt(0), max: sevAt(120) }),
    fc.integer({ min: tdvfAt(0), max: tdvfAt(220) }),
    fc.integer({ min: TABLE_END - 130, max: SIZE - 1 }),
    fc.nat(SIZE - 1),
  );
  const change = fc.tuple(interesting, fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
      const image = buildFirmware(recipe);
      for (const [at, value] of changes) image[at] = value;
      try {
        readAll(image);
      } catch (thrown) {
        assert.equal((thrown as { code?: string }).code, INVALID, String(thrown));
      }
    }),
    { numRuns: 2000 },
  );
});
