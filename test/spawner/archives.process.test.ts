/** The spawner's reader of archives, in C, against this package's, over trees and archives that break the rules. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { CmcpError } from "@cmcp/boundary";
import { encodeChunk } from "@cmcp/spawner/protocol";
import { archiveDigest, treeArchive, treeDigest } from "@cmcp/spawner/tree";
import * as fc from "fast-check";
import { RUNNERS, treeFolder } from "./fixture.ts";

const skip = RUNNERS.some((runner) => runner.skip === false) ? false : (RUNNERS[0]?.skip ?? false);
const native = fileURLToPath(new URL("../../packages/spawner/native", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "cmcp-archives-"));
const program = join(folder, "archives");
before(() => {
  if (skip !== false) return;
  execFileSync(process.env["CC"] ?? "cc", [
    "-std=c11",
    "-g",
    "-O1",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    `-I${native}`,
    "-o",
    program,
    fileURLToPath(new URL("programs/archives.c", import.meta.url)),
    join(native, "tree.c"),
    join(native, "sha256.c"),
  ]);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const REFUSED = 3;

/** What the C reader says of each archive: the digest of one that it takes, else its status. */
function received(archives: readonly (readonly Uint8Array[])[]): { into: string; verdicts: string[] } {
  const into = mkdtempSync(join(folder, "received-"));
  const chunks = archives.flatMap((archive) => [...archive.filter(({ length }) => length > 0), new Uint8Array()]);
  const input = Buffer.concat(chunks.map(encodeChunk));
  const run = spawnSync(program, [into, String(archives.length)], { input, encoding: "utf8", maxBuffer: 1 << 26 });
  assert.equal(run.status, 0, run.stderr.slice(0, 2_000));
  const verdicts = run.stdout
    .trimEnd()
    .split("\n")
    .map((line) => (line.startsWith("0 ") ? line.slice(2) : (line.split(" ")[0] ?? "")));
  return { into, verdicts };
}

/** The same of this package's reader. */
async function verdictOf(archive: readonly Uint8Array[]): Promise<string> {
  try {
    return Buffer.from(await archiveDigest(archive)).toString("hex");
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError && thrown.code === "SPAWN_TREE_REFUSED");
    return String(REFUSED);
  }
}

const name = fc
  .oneof(
    fc.string({
      unit: fc.constantFrom("a", "b", ".", "-", "_", "ü", "😀", "\u0001", "\n"),
      minLength: 1,
      maxLength: 4,
    }),
    fc.constantFrom("main.mjs", "a-b", "a"),
  )
  .filter((text) => text !== "." && text !== "..");
const target = fc.constantFrom("a", "./a/../b", "../a", "../../a", "x/../..", "/etc", "a//b", "..", "");
type Item =
  | { readonly kind: "file"; readonly bytes: Uint8Array; readonly run: boolean }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "folder"; readonly items: Readonly<Record<string, Item>> };
const { folder: tree } = fc.letrec<{ folder: Item & { kind: "folder" }; item: Item }>((tie) => ({
  item: fc.oneof(
    { depthSize: "small", maxDepth: 3 },
    fc.record({ kind: fc.constant("file" as const), bytes: fc.uint8Array({ maxLength: 200 }), run: fc.boolean() }),
    fc.record({ kind: fc.constant("link" as const), target: target.filter((text) => text !== "") }),
    tie("folder"),
  ),
  folder: fc.record({
    kind: fc.constant("folder" as const),
    items: fc.dictionary(name, tie("item"), { maxKeys: 5, noNullPrototype: true }),
  }),
}));

function build(at: string, item: Item): void {
  if (item.kind === "file") {
    writeFileSync(at, item.bytes);
    chmodSync(at, item.run ? 0o755 : 0o644);
  } else if (item.kind === "link") {
    symlinkSync(item.target, at);
  } else {
    mkdirSync(at, { recursive: true });
    for (const [child, inside] of Object.entries(item.items)) build(join(at, child), inside);
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("every tree that is archived is received, and archived again it is the same", { skip }, async (t) => {
  const archives = fc.sample(tree, { numRuns: 150, seed: 4 }).flatMap((item) => {
    const path = treeFolder(t);
    build(path, item);
    try {
      return [{ path, chunks: [...treeArchive(path)] }];
    } catch (thrown) {
      assert.ok(thrown instanceof CmcpError && thrown.code === "SPAWN_TREE_REFUSED");
      return [];
    }
  });
  assert.ok(
    archives.length > 60 && archives.length < 145,
    `${archives.length} of 150 are archived: both kinds were seen`,
  );
  const { into, verdicts } = received(archives.map(({ chunks }) => chunks));
  for (const [index, { path, chunks }] of archives.entries()) {
    assert.equal(verdicts[index], hex(treeDigest(path)));
    assert.equal(await verdictOf(chunks), verdicts[index]);
    assert.equal(hex(treeDigest(join(into, String(index)))), verdicts[index], "what was written is the tree");
  }
});

/** One item as an archive has it, whether it may stand there or not. */
interface Written {
  readonly type: string;
  readonly path: string;
  readonly content?: string;
  readonly size?: number;
}

function record({ type, path, content = "", size = content.length }: Written): Buffer {
  const bytes = Buffer.from(path, "latin1");
  const head = Buffer.concat([Buffer.from(type, "latin1"), Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
  if (type === "d") return head;
  const length = Buffer.alloc(type === "l" ? 2 : 8);
  if (type === "l") length.writeUInt16BE(size);
  else length.writeBigUInt64BE(BigInt(size));
  return Buffer.concat([head, length, Buffer.from(content, "latin1")]);
}
const archive = (...items: readonly Written[]): Buffer =>
  Buffer.concat([Buffer.from("cmcp-tree-v1\n"), ...items.map(record)]);
const folders = (depth: number): Written[] =>
  Array.from({ length: depth }, (_, index) => ({
    type: "d",
    path: Array(index + 1)
      .fill("d")
      .join("/"),
  }));
const file = (path: string, content = "x"): Written => ({ type: "f", path, content });

const BROKEN: Readonly<Record<string, Buffer>> = {
  "names out of order": archive(file("b"), file("a")),
  "one name twice": archive(file("a"), file("a")),
  "a folder and a file of one name": archive({ type: "d", path: "a" }, file("a")),
  "a folder twice": archive({ type: "d", path: "a" }, file("a/x"), { type: "d", path: "a" }, file("a/y")),
  "an item without its folder": archive(file("a/b")),
  "an item in a file": archive(file("a"), file("a/b")),
  "an item in a link": archive({ type: "l", path: "a", content: "b" }, file("a/b")),
  "an item in a folder that is over": archive({ type: "d", path: "a" }, file("b"), file("a/x")),
  "an item of a folder that is not open": archive({ type: "d", path: "b" }, file("a/x")),
  "a folder after what is in it": archive(file("a/x"), { type: "d", path: "a" }),
  "order by whole paths instead of names": archive({ type: "d", path: "a" }, file("a-b"), file("a/x")),
  "an absolute path": archive(file("/a")),
  "an empty path": archive(file("")),
  "an empty component": archive({ type: "d", path: "a" }, file("a//b")),
  "a path that ends in a slash": archive({ type: "d", path: "a/" }),
  "the folder itself": archive(file(".")),
  "the folder above": archive({ type: "d", path: ".." }, file("../x")),
  "a name with NUL": archive(file("a\0b")),
  "a name of 256 bytes": archive(file("x".repeat(256))),
  "a path of 1025 bytes": archive(...folders(1), file(`d/${"x".repeat(1023)}`)),
  "a type that does not exist": archive({ type: "s", path: "a" }),
  "no type": archive({ type: "\0", path: "a" }),
  "a link to an absolute path": archive({ type: "l", path: "a", content: "/etc/passwd" }),
  "a link that leads out": archive({ type: "l", path: "a", content: "b/../../c" }),
  "a link to nothing": archive({ type: "l", path: "a" }),
  "a link with NUL": archive({ type: "l", path: "a", content: "b\0" }),
  "a link of 1025 bytes": archive({ type: "l", path: "a", content: "x".repeat(1025) }),
  "33 folders": archive(...folders(33)),
  "a size over the bound": archive({ ...file("a"), size: 256 * 1024 * 1024 + 1 }),
  "a size beyond what a number holds": Buffer.concat([
    archive({ type: "d", path: "a" }),
    Buffer.from("f\0\x01b"),
    Buffer.alloc(8, 0xff),
  ]),
  "fewer bytes than the size": archive({ ...file("a", "xy"), size: 3 }),
  "more bytes than the size": archive({ ...file("a", "xyz"), size: 2 }),
  "bytes after the last item": Buffer.concat([archive(file("a")), Buffer.of(0)]),
  "65537 items": archive(
    ...Array.from({ length: 65_537 }, (_, index) => ({
      type: "l",
      path: index.toString(36).padStart(4, "0"),
      content: "x",
    })),
  ),
};
const TAKEN: Readonly<Record<string, Buffer>> = {
  "no item": archive(),
  "32 folders and a file": archive(...folders(32), file(`${"d/".repeat(32)}f`)),
  "a name of 255 bytes": archive(file("x".repeat(255))),
  "names that sort behind the slash": archive({ type: "d", path: "a" }, file("a/x"), file("a-b")),
  "one empty file": Buffer.alloc(0),
  "one file that ends where the archive of a folder would begin": Buffer.from("cmcp-tree-v1"),
};

/** The same bytes as one chunk and byte by byte. */
const split = (bytes: Buffer): Uint8Array[][] => [
  Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, index) =>
    bytes.subarray(index * 65_536, (index + 1) * 65_536),
  ),
  bytes.length > 10_000 ? [] : Array.from(bytes, (byte) => Uint8Array.of(byte)),
];

test("an archive that breaks a rule is refused, by both, however it is cut into chunks", { skip }, async () => {
  for (const [cases, refused] of [
    [BROKEN, true],
    [TAKEN, false],
  ] as const) {
    for (const [what, bytes] of Object.entries(cases)) {
      const forms = split(bytes).filter((chunks, index) => index === 0 || chunks.length > 0);
      for (const verdict of [...received(forms).verdicts, ...(await Promise.all(forms.map(verdictOf)))])
        assert.equal(verdict === String(REFUSED), refused, what);
    }
  }
});

const item: fc.Arbitrary<Written> = fc.record(
  {
    type: fc.constantFrom("d", "f", "x", "l", "l", "s"),
    path: fc
      .array(fc.constantFrom("a", "b", "a-b", "..", "", "\xff"), { minLength: 1, maxLength: 3 })
      .map((parts) => parts.join("/")),
    content: fc.oneof(target, fc.string({ maxLength: 5 })),
    size: fc.nat({ max: 6 }),
  },
  { requiredKeys: ["type", "path"] },
);
const changed = fc
  .tuple(
    fc.array(item, { maxLength: 6 }),
    fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
    fc.nat({ max: 20 }),
  )
  .map(([items, changes, cut]) => {
    const bytes = archive(...items.toSorted((left, right) => (left.path < right.path ? -1 : 1)));
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes.subarray(0, cut < 15 ? bytes.length : bytes.length - cut);
  });

test("of archives at random, both take the same, and with the same digest", { skip }, async () => {
  const archives = fc.sample(changed, { numRuns: 4_000, seed: 7 }).map((bytes) => [bytes]);
  const { verdicts } = received(archives);
  let taken = 0;
  for (const [index, chunks] of archives.entries()) {
    assert.equal(verdicts[index], await verdictOf(chunks), Buffer.concat(chunks).toString("latin1"));
    taken += verdicts[index] === String(REFUSED) ? 0 : 1;
  }
  assert.ok(taken > 200 && taken < 3_800, `${taken} of 4000 are taken: both kinds were seen`);
});

test("an archive that ends without its last chunk, or breaks the framing, is none", { skip }, () => {
  const whole = encodeChunk(archive(file("a")));
  for (const input of [whole, whole.subarray(0, whole.length - 1), Buffer.of(0, 1, 0, 1), Buffer.of(0, 0)]) {
    const run = spawnSync(program, [mkdtempSync(join(folder, "cut-")), "1"], { input, encoding: "utf8" });
    assert.match(run.stdout, /^-1 /);
  }
});
