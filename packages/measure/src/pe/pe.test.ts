import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { toHex } from "@cmcp/boundary";
import { NO_SHARED_FOLDER } from "../../../appraise/src/testing/shared.ts";
import { downloaded, NO_DOWNLOADS } from "../testing/downloads.ts";
import { buildPe, OPTIONAL_HEADER, PE_HEADER, SECTION_TABLE } from "../testing/pe.ts";
import { BOOTS, TDX_GOLDEN } from "../testing/vectors.ts";
import { authenticodeDigest } from "./authenticode.ts";
import { MAX_PE, openPe } from "./image.ts";
import { openUki } from "./uki.ts";

const INVALID = "MEASURE_INPUT_INVALID";
const text = (value: string): Buffer => Buffer.from(value, "latin1");
const FILE = [
  { name: ".text", content: text("first") },
  { name: ".data", content: text("x".repeat(700)) },
];
const UKI = [
  { name: ".linux", content: text("kernel") },
  { name: ".cmdline", content: text("quiet") },
];

test("the digest of a kernel that Debian signed is the one its signature names", (t) => {
  const kernel = downloaded(BOOTS.kernel.file, BOOTS.kernel.sha256);
  if (TDX_GOLDEN === null) return t.skip(NO_SHARED_FOLDER);
  if (kernel === null) return t.skip(NO_DOWNLOADS);
  const image = openPe(kernel);
  assert.equal(
    toHex(authenticodeDigest(image, "sha256")),
    TDX_GOLDEN.kernel.authenticode_sha256_raw_confirmed_by_osslsigncode,
  );
  assert.equal(toHex(authenticodeDigest(image, "sha384")), TDX_GOLDEN.kernel.authenticode_sha384_raw);
  assert.deepEqual(
    [toHex(authenticodeDigest(image, "sha256")), toHex(authenticodeDigest(image, "sha384"))],
    [BOOTS.kernel.authenticode.sha256, BOOTS.kernel.authenticode.sha384],
  );
});

/** The digest as firmware takes it: everything but checksum, certificate entry and certificates. */
function byDefinition(file: Buffer, certificates: number): string {
  const end = file.length - certificates;
  const kept = [
    file.subarray(0, OPTIONAL_HEADER + 64),
    file.subarray(OPTIONAL_HEADER + 68, OPTIONAL_HEADER + 144),
    file.subarray(OPTIONAL_HEADER + 152, end),
  ];
  return createHash("sha256").update(Buffer.concat(kept)).digest("hex");
}

test("checksum and certificates are left out, and bytes behind the sections are not", () => {
  const digest = (file: Uint8Array): string => toHex(authenticodeDigest(openPe(file), "sha256"));
  const [plain, signed] = [buildPe(FILE), buildPe(FILE, Buffer.alloc(24, 7))];
  assert.equal(digest(plain), byDefinition(plain, 0));
  assert.equal(digest(signed), byDefinition(signed, 24));
  assert.equal(digest(signed), digest(plain));
  const trailing = Buffer.concat([plain, text("abc")]);
  assert.equal(digest(trailing), byDefinition(trailing, 0));
  assert.notEqual(digest(trailing), digest(plain));
  // Of no length that is a multiple of eight, and not filled up to one.
  assert.notEqual(trailing.length % 8, 0);
  assert.notEqual(digest(trailing), digest(Buffer.concat([trailing, Buffer.alloc(8 - (trailing.length % 8))])));
});

test("any other byte changes the digest", () => {
  const signed = buildPe(FILE, Buffer.alloc(24, 7));
  const original = byDefinition(signed, 24);
  const checksum = OPTIONAL_HEADER + 64;
  fc.assert(
    fc.property(fc.nat(signed.length - 25), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Buffer.from(signed);
      changed[at] = (changed[at] ?? 0) ^ flip;
      // Another directory entry is refused, or says that there are no certificates: then their bytes count.
      const free = at >= checksum && at < checksum + 4;
      try {
        assert.equal(toHex(authenticodeDigest(openPe(changed), "sha256")) === original, free);
      } catch (thrown) {
        if (thrown instanceof assert.AssertionError) throw thrown;
        assert.equal((thrown as { code?: string }).code, INVALID, String(thrown));
      }
    }),
    { numRuns: 1000 },
  );
});

function changed(at: number, value: number, bytes: 2 | 4 = 4, certificates?: Buffer): Buffer {
  const file = buildPe(FILE, certificates);
  file.writeUIntLE(value, at, bytes);
  return file;
}

const REFUSED: Readonly<Record<string, readonly [RegExp, Buffer]>> = {
  nothing: [/not in its 0 bytes/, Buffer.alloc(0)],
  "no MZ": [/does not begin as one/, changed(0, 0, 2)],
  "no PE": [/does not begin as one/, changed(PE_HEADER, 0)],
  "a header far away": [/not in its/, changed(0x3c, 0xffff_fff0)],
  "a 32-bit program": [/not PE32\+/, changed(OPTIONAL_HEADER, 0x10b, 2)],
  "too many sections": [/97 sections/, changed(PE_HEADER + 6, 97, 2)],
  "no certificate entry by count": [/no entry for certificates/, changed(OPTIONAL_HEADER + 108, 4)],
  "no certificate entry by size": [/no entry for certificates/, changed(PE_HEADER + 20, 151, 2)],
  "headers shorter than the section table": [/leaves its headers/, changed(OPTIONAL_HEADER + 60, SECTION_TABLE + 79)],
  "headers longer than the file": [/not in its/, changed(OPTIONAL_HEADER + 60, 0x10_0000)],
  "a section that leaves the file": [/not in its/, changed(SECTION_TABLE + 40 + 20, 0x700)],
  "a gap before a section": [/overlap or leave gaps/, changed(SECTION_TABLE + 16, 0x100)],
  "sections that overlap": [/overlap or leave gaps/, changed(SECTION_TABLE + 40 + 20, 0x400)],
  "certificates not at the end": [/do not end where/, changed(OPTIONAL_HEADER + 148, 8, 4, Buffer.alloc(16))],
  "certificates over a section": [
    /overlap a section/,
    (() => {
      const file = buildPe(FILE, Buffer.alloc(16));
      file.writeUInt32LE(0x500, OPTIONAL_HEADER + 144);
      file.writeUInt32LE(file.length - 0x500, OPTIONAL_HEADER + 148);
      return file;
    })(),
  ],
};

for (const [name, [message, file]] of Object.entries(REFUSED)) {
  test(`a PE file is refused: ${name}`, () => {
    assert.throws(() => authenticodeDigest(openPe(file), "sha256"), { code: INVALID, message });
  });
}

test("a PE file is refused when it is larger than the limit", () => {
  // Sparse memory: nothing of it is touched.
  assert.throws(() => openPe(new Uint8Array(MAX_PE + 1)), { code: INVALID, message: /more than/ });
});

test("sections of a unified kernel image are what lies in memory", () => {
  const uki = openUki(buildPe(UKI));
  assert.deepEqual(
    [...uki.sections].map(([name, content]) => [name, Buffer.from(content).toString()]),
    [
      [".linux", "kernel"],
      [".cmdline", "quiet"],
    ],
  );
  assert.equal(Buffer.from(uki.linux).toString(), "kernel");
});

const UKI_REFUSED: Readonly<Record<string, readonly [string, RegExp, Buffer]>> = {
  "no kernel": [INVALID, /no kernel section/, buildPe(FILE)],
  "a section twice": [
    INVALID,
    /duplicate section \.linux/,
    buildPe([...UKI, { name: ".linux", content: text("other") }]),
  ],
  "memory beyond the data": [
    "MEASURE_NOT_PREDICTABLE",
    /more memory than data/,
    buildPe([{ name: ".linux", content: text("kernel"), virtualSize: 0x201 }]),
  ],
  profiles: [
    "MEASURE_NOT_PREDICTABLE",
    /\.profile makes the stub choose/,
    buildPe([...UKI, { name: ".profile", content: text("ID=a") }]),
  ],
};

for (const [name, [code, message, file]] of Object.entries(UKI_REFUSED)) {
  test(`a unified kernel image is refused: ${name}`, () => {
    assert.throws(() => openUki(file), { code, message });
  });
}

test("no bytes and no change of a good image make the readers do anything but refuse", () => {
  const good = buildPe(UKI, Buffer.alloc(16));
  const change = fc.tuple(fc.oneof(fc.nat(SECTION_TABLE + 80), fc.nat(good.length - 1)), fc.nat(255));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(change, { maxLength: 6 }).map((changes) => {
      const image = Buffer.from(good);
      for (const [at, value] of changes) image[at] = value;
      return image;
    }),
  );
  fc.assert(
    fc.property(bytes, (image) => {
      try {
        authenticodeDigest(openUki(image).image, "sha256");
      } catch (thrown) {
        assert.match((thrown as { code?: string }).code ?? String(thrown), /^MEASURE_(INPUT_INVALID|NOT_PREDICTABLE)$/);
      }
    }),
    { numRuns: 2000 },
  );
});
