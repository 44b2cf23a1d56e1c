/** What runs is what was measured: the spawner's digest against ours, and against files that change. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { MAX_SERVERS, type AllowedServer, type ServerReply } from "@cmcp/spawner";
import { treeDigest } from "@cmcp/spawner/tree";
import * as fc from "fast-check";
import { CmcpError } from "@cmcp/boundary";
import { RUNNERS, open, serverOf, treeFolder, type Cleanup } from "./fixture.ts";
import { Lines } from "./lines.ts";

const usable = RUNNERS.filter(({ skip }) => skip === false).map(({ by }) => by);
const skip = usable.length === 0 && (RUNNERS[0]?.skip ?? "no spawner runs here");
const by = usable[0] ?? "plain user";

async function measure(t: Cleanup, trees: readonly string[]): Promise<readonly ServerReply[]> {
  const { spawner } = await open(
    t,
    by,
    trees.map((tree) => serverOf(tree, "/none")),
  );
  spawner.close();
  return spawner.found;
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
type Item =
  | { readonly kind: "file"; readonly bytes: Uint8Array; readonly run: boolean }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "folder"; readonly items: Readonly<Record<string, Item>> };
const { folder } = fc.letrec<{ folder: Item & { kind: "folder" }; item: Item }>((tie) => ({
  item: fc.oneof(
    { depthSize: "small", maxDepth: 3 },
    fc.record({ kind: fc.constant("file" as const), bytes: fc.uint8Array({ maxLength: 200 }), run: fc.boolean() }),
    fc.record({
      kind: fc.constant("link" as const),
      target: fc.constantFrom("a", "./a/../b", "../a", "../../a", "x/../..", "/etc", "a//b", ".."),
    }),
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

function digestOrCode(tree: string): string {
  try {
    return Buffer.from(treeDigest(tree)).toString("hex");
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError);
    return thrown.code;
  }
}

test("the spawner and this package give every tree the same digest, or both refuse it", { skip }, async (t) => {
  const trees = fc.sample(folder, { numRuns: MAX_SERVERS, seed: 4 }).map((item) => {
    const tree = treeFolder(t);
    build(tree, item);
    return tree;
  });
  const found = await measure(t, trees);
  let refused = 0;
  for (const [index, tree] of trees.entries()) {
    const ours = digestOrCode(tree);
    const theirs = found[index];
    assert.ok(theirs !== undefined);
    // Whether the program exists is seen only when it starts; the tree comes first.
    if (theirs.status === "ready") assert.equal(Buffer.from(theirs.digest).toString("hex"), ours);
    else assert.deepEqual([theirs.status, ours], ["tree-refused", "SPAWN_TREE_REFUSED"]);
    refused += theirs.status === "ready" ? 0 : 1;
  }
  assert.ok(refused > 3 && refused < MAX_SERVERS - 10, `${refused} of ${MAX_SERVERS} refused: both kinds were seen`);
});

test("a tree of one file has the digest of its bytes", { skip }, async (t) => {
  const file = join(treeFolder(t), "server.js");
  writeFileSync(file, "console.log(1)\n");
  const [found] = await measure(t, [file]);
  assert.deepEqual(found, {
    status: "ready",
    digest: new Uint8Array(createHash("sha256").update("console.log(1)\n").digest()),
  });
  assert.deepEqual(new Uint8Array(treeDigest(file)), found?.digest);
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

test("trees with special files, links that lead out, or over a bound are refused", { skip }, async (t) => {
  const trees = SPECIAL.map(({ make }) => {
    const tree = treeFolder(t);
    make(tree, t);
    return tree;
  });
  await new Promise((resolve) => setImmediate(resolve));
  const found = await measure(t, [...trees, "/nowhere/at/all"]);
  for (const [index, { what }] of SPECIAL.entries()) {
    assert.equal(found[index]?.status, "tree-refused", what);
    assert.throws(() => treeDigest(trees[index] ?? ""), { code: "SPAWN_TREE_REFUSED" }, what);
  }
  assert.equal(found.at(-1)?.status, "tree-unreadable");
  assert.throws(() => treeDigest("/nowhere/at/all"), { code: "SPAWN_TREE_REFUSED" });
});

test("a tree with 32 folders, one in the other, runs", { skip }, async (t) => {
  const tree = treeFolder(t);
  mkdirSync(join(tree, ...Array.from({ length: 32 }, () => "d")), { recursive: true });
  assert.equal((await measure(t, [tree]))[0]?.status, "ready");
  treeDigest(tree);
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

  test(`files changed after they were measured do not run (spawner of ${runner.by})`, {
    skip: runner.skip,
  }, async (t) => {
    const tree = treeFolder(t);
    writeFileSync(join(tree, "main.mjs"), SAYS("approved"));
    const { spawner, listening } = await open(t, runner.by, [
      serverOf(tree, "node", ["main.mjs"], { digest: treeDigest(tree) }),
    ]);
    writeFileSync(join(tree, "main.mjs"), SAYS("swapped"));
    assert.equal(await said(spawner.start(0)), "approved", "the measured copy runs");
    await t.test(
      "and neither does a copy that was changed",
      { skip: process.geteuid?.() !== 0 && "only root can get at the copy" },
      async () => {
        writeFileSync(join(`/proc/${listening.pid}/root`, listening.stage, "0/main.mjs"), SAYS("swapped"));
        await assert.rejects(spawner.start(0), { code: "SPAWN_DIGEST_MISMATCH" });
      },
    );
  });
}
