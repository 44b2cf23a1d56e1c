/** What runs is what was approved: trees that cannot be archived, digests that differ, and files that change. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import type { AllowedServer } from "@cmcp/spawner";
import { treeDigest } from "@cmcp/spawner/tree";
import { RUNNERS, open, serverOf, treeFolder, type Cleanup } from "./fixture.ts";
import { Lines } from "./lines.ts";

const usable = RUNNERS.filter(({ skip }) => skip === false).map(({ by }) => by);
const skip = usable.length === 0 && (RUNNERS[0]?.skip ?? "no spawner runs here");
const by = usable[0] ?? "plain user";

test("a tree of one file has the digest of its bytes, and runs", { skip }, async (t) => {
  const file = join(treeFolder(t), "server.mjs");
  writeFileSync(file, SAYS("one file"));
  const digest = new Uint8Array(createHash("sha256").update(SAYS("one file")).digest());
  assert.deepEqual(new Uint8Array(treeDigest(file)), digest);
  const { spawner } = await open(t, by, [serverOf(file, "node", [file], { digest })]);
  assert.deepEqual(spawner.found, [{ status: "ready", digest }]);
  assert.equal(await said(spawner.start(0)), "one file");
});

test("a file that begins like an archive of a folder is refused, and would stand for that folder", {
  skip,
}, async (t) => {
  const file = join(treeFolder(t), "server.mjs");
  writeFileSync(file, "cmcp-tree-v1\nx");
  assert.throws(() => treeDigest(file), { code: "SPAWN_TREE_REFUSED" });
  const { spawner } = await open(t, by, [serverOf(file, "node")], () => [readFileSync(file)]);
  assert.equal(spawner.found[0]?.status, "tree-refused");
});

test("content of more than 256 MiB is refused, and that of exactly as much is not", {
  skip,
  timeout: 120_000,
}, async (t) => {
  const zeros = Buffer.alloc(65_536);
  const most = 256 * 1024 * 1024;
  const file = (name: string, size: number): Uint8Array[] => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(size));
    const whole = Array.from({ length: Math.floor(size / zeros.length) }, () => zeros);
    return [Buffer.from(`f\0\x01${name}`), length, ...whole, zeros.subarray(0, size % zeros.length)];
  };
  const magic = Buffer.from("cmcp-tree-v1\n");
  const archives = [
    [magic, ...file("a", most)],
    [magic, ...file("a", 1), ...file("b", most)],
    file("a", most - 12),
    file("a", most),
  ];
  const trees = archives.map((_, index) => `/srv/${index}`);
  // Two at a time: the stage has room for no more.
  for (const [some, statuses] of [
    [
      [0, 1],
      ["ready", "tree-refused"],
    ],
    [
      [2, 3],
      ["ready", "tree-refused"],
    ],
  ] as const) {
    const servers = some.map((index) => serverOf(trees[index] ?? "", "node"));
    const { spawner } = await open(t, by, servers, (tree) => archives[trees.indexOf(tree)] ?? []);
    assert.deepEqual(
      spawner.found.map(({ status }) => status),
      statuses,
    );
  }
});

const SPECIAL: readonly { readonly what: string; readonly make: (tree: string, t: Cleanup) => void }[] = [
  { what: "a named pipe", make: (tree) => execFileSync("mkfifo", [join(tree, "pipe")]) },
  {
    what: "a set-user-ID file",
    make: (tree) => {
      writeFileSync(join(tree, "su"), "");
      chmodSync(join(tree, "su"), 0o4755);
    },
  },
  { what: "a link to an absolute path", make: (tree) => symlinkSync("/etc/passwd", join(tree, "l")) },
  {
    what: "a link that leads out through a folder of its own",
    make: (tree) => {
      mkdirSync(join(tree, "d"));
      symlinkSync("../../x", join(tree, "d", "l"));
    },
  },
  {
    what: "33 folders, one in the other",
    make: (tree) => mkdirSync(join(tree, ...Array.from({ length: 33 }, () => "d")), { recursive: true }),
  },
  {
    what: "more bytes than the bound, in two files",
    make: (tree) => {
      for (const half of ["a", "b"]) {
        writeFileSync(join(tree, half), "");
        truncateSync(join(tree, half), half === "a" ? 1 : 256 * 1024 * 1024);
      }
    },
  },
  {
    what: "a Unix socket",
    make: (tree, t) => {
      const server = createServer().listen(join(tree, "s"));
      t.after(() => void server.close());
    },
  },
];

test("trees with special files, links that lead out, or over a bound are not archived", { skip }, async (t) => {
  const trees = SPECIAL.map(({ make }) => {
    const tree = treeFolder(t);
    make(tree, t);
    return tree;
  });
  await new Promise((resolve) => setImmediate(resolve));
  for (const [index, { what }] of SPECIAL.entries())
    assert.throws(() => treeDigest(trees[index] ?? ""), { code: "SPAWN_TREE_REFUSED" }, what);
  assert.throws(() => treeDigest("/nowhere/at/all"), { code: "SPAWN_TREE_REFUSED" });
});

const SAYS = (word: string): string => `process.stdout.write("${word}\\n"); process.stdin.resume();\n`;

async function said(start: Promise<import("@cmcp/spawner").StdioChannel>): Promise<string> {
  const channel = await start;
  const line = await new Lines(channel).until(() => true);
  await channel.close();
  return line;
}

for (const runner of RUNNERS) {
  test(`the digest is required, byte for byte (spawner of ${runner.by})`, { skip: runner.skip }, async (t) => {
    const tree = treeFolder(t);
    writeFileSync(join(tree, "main.mjs"), SAYS("approved"));
    const digest = treeDigest(tree);
    const server = (rest: Partial<AllowedServer>): AllowedServer => serverOf(tree, "node", ["main.mjs"], rest);
    const { spawner } = await open(t, runner.by, [
      server({ digest }),
      server({ digest: digest.map((byte, index) => (index === 31 ? byte ^ 1 : byte)) }),
      server({}),
      server({ program: "python" }),
    ]);
    assert.deepEqual(
      spawner.found.map(({ status }) => status),
      ["ready", "digest-mismatch", "ready", "no-program"],
    );
    assert.equal(await said(spawner.start(0)), "approved");
    await assert.rejects(spawner.start(1), { code: "SPAWN_DIGEST_MISMATCH" });
    await assert.rejects(spawner.start(3), { code: "SPAWN_FAILED" });
    await assert.rejects(spawner.start(4), { code: "INTERNAL" });
    const unpinned = await spawner.start(2);
    assert.deepEqual(
      new Uint8Array(unpinned.digest),
      new Uint8Array(digest),
      "what ran is known even where it was not required",
    );
    await unpinned.close();
  });

  test(`files changed after they were sent do not run, and nobody changes what was received (spawner of ${runner.by})`, {
    skip: runner.skip,
  }, async (t) => {
    const tree = treeFolder(t);
    writeFileSync(join(tree, "main.mjs"), SAYS("approved"));
    const { spawner, listening } = await open(t, runner.by, [
      serverOf(tree, "node", ["main.mjs"], { digest: treeDigest(tree) }),
    ]);
    writeFileSync(join(tree, "main.mjs"), SAYS("swapped"));
    assert.equal(await said(spawner.start(0)), "approved", "what was received runs");
    await t.test(
      "not even root writes to it",
      { skip: process.geteuid?.() !== 0 && "only root can get at it" },
      async () => {
        const received = join(`/proc/${listening.pid}/root`, listening.stage, "0");
        assert.equal(readFileSync(join(received, "main.mjs"), "utf8"), SAYS("approved"));
        assert.throws(() => writeFileSync(join(received, "main.mjs"), SAYS("swapped")), { code: "EROFS" });
        assert.throws(() => writeFileSync(join(received, "more.mjs"), ""), { code: "EROFS" });
      },
    );
  });
}
