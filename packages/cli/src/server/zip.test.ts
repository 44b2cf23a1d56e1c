import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { writeZip, type ZipMember } from "./testing/write-zip.ts";
import { readZip } from "./zip.ts";

const LINK = 0o120777;
const DEVICE = 0o020644;

test("files are read with their content and whether they may run; folders are implied", () => {
  const files = readZip(
    writeZip([
      { name: "server/", mode: 0o040755, method: 0 },
      { name: "server/index.js", content: "run", mode: 0o100755 },
      { name: "a", content: "stored", method: 0 },
    ]),
  );
  assert.deepEqual(
    files.map(({ path, isExecutable, bytes }) => [path, isExecutable, Buffer.from(bytes).toString()]),
    [
      ["server/index.js", true, "run"],
      ["a", false, "stored"],
    ],
  );
});

const REFUSED: readonly { readonly what: string; readonly members: readonly ZipMember[]; readonly message: RegExp }[] =
  [
    ...["../a", "a/../../b", "/etc/a", "a//b", "./a", "a\\..\\b", "C:/a", "a\0b", ".."].map((name) => ({
      what: `the path ${JSON.stringify(name)}`,
      members: [{ name }],
      message: /leads out of it or is no plain path/,
    })),
    { what: "a symbolic link", members: [{ name: "a", content: "/etc", mode: LINK }], message: /"a", which is a link/ },
    { what: "a device", members: [{ name: "a", mode: DEVICE }], message: /special file/ },
    { what: "one name twice", members: [{ name: "a" }, { name: "a" }], message: /"a" twice/ },
    {
      what: "a folder's name twice",
      members: [{ name: "a/", method: 0, mode: 0o040755 }, { name: "a" }],
      message: /"a" twice/,
    },
    {
      what: "a file that is a folder, too",
      members: [{ name: "a" }, { name: "a/b" }],
      message: /"a" as file and as folder/,
    },
    { what: "a local name of its own", members: [{ name: "a", localName: "b" }], message: /two things of "a"/ },
    { what: "encryption", members: [{ name: "a", flags: 1 }], message: /encrypted/ },
    { what: "another compression", members: [{ name: "a", method: 12 }], message: /another compression/ },
    {
      what: "more content than it says",
      members: [{ name: "a", content: "x".repeat(100), size: 10 }],
      message: /larger than it says/,
    },
    { what: "less content than it says", members: [{ name: "a", content: "x", size: 10 }], message: /damaged/ },
    {
      what: "too much content",
      members: [
        { name: "a", size: 200 << 20 },
        { name: "b", size: 100 << 20 },
      ],
      message: /unpacks to more than/,
    },
    { what: "too deep a path", members: [{ name: "a/".repeat(40) + "b" }], message: /deeper than/ },
    { what: "too long a path", members: [{ name: "a".repeat(1_025) }], message: /over 1024 bytes/ },
    {
      what: "too many items",
      members: Array.from({ length: 20_001 }, (_, at) => ({ name: String(at), method: 0 })),
      message: /more than 20000/,
    },
  ];

for (const { what, members, message } of REFUSED)
  test(`${what} is refused by name`, () => {
    assert.throws(() => readZip(writeZip(members)), { code: "BUNDLE_REFUSED", message });
  });

test("a bomb is not unpacked beyond what it says", () => {
  const bomb = writeZip([{ name: "a", content: Buffer.alloc(64 << 20), size: 1_000 }]);
  assert.throws(() => readZip(bomb), { code: "BUNDLE_REFUSED", message: /larger than it says/ });
});

test("whatever bytes are changed, it reads files below the root or refuses", () => {
  const archive = writeZip([
    { name: "server/index.js", content: "run" },
    { name: "manifest.json", content: "{}" },
  ]);
  const change = fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { maxLength: 4 });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), change), (input) => {
      const bytes = Buffer.from(archive);
      if (input instanceof Uint8Array) bytes.set(input.subarray(0, archive.length));
      else for (const [at, value] of input) bytes[at] = value;
      try {
        for (const { path } of readZip(bytes)) assert.ok(!path.split("/").includes("..") && !path.startsWith("/"));
      } catch (thrown) {
        assert.equal((thrown as { code?: string }).code, "BUNDLE_REFUSED", String(thrown));
      }
    }),
    { numRuns: 2_000 },
  );
});
