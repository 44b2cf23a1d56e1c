import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { treeDigest } from "./digest.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "cmcp-digest-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A small tree with one of everything. */
function sample(t: TestContext): string {
  const tree = folder(t);
  mkdirSync(join(tree, "a"));
  writeFileSync(join(tree, "a", "run"), "hi");
  chmodSync(join(tree, "a", "run"), 0o755);
  writeFileSync(join(tree, "a-b"), "");
  chmodSync(join(tree, "a-b"), 0o640);
  symlinkSync("a/run", join(tree, "z"));
  return tree;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("the digest of SPEC.md's example is that of its bytes, written out", (t) => {
  // printf 'cmcp-tree-v1\nd\0\001ax\0\005a/run\0\0\0\0\0\0\0\002hif\0\003a-b\0\0\0\0\0\0\0\0l\0\001z\0\005a/run' |
  // sha256sum
  assert.equal(hex(treeDigest(sample(t))), "750db2cd74b806a72450d2c0c89ba1f2cd340ac25ab5010786889f287ae0ebe0");
});

const CHANGES: readonly { readonly what: string; readonly change: (tree: string) => void }[] = [
  { what: "a byte of a file", change: (tree) => writeFileSync(join(tree, "a", "run"), "ho") },
  { what: "a file's length", change: (tree) => writeFileSync(join(tree, "a-b"), "x") },
  { what: "a file's name", change: (tree) => renameSync(join(tree, "a-b"), join(tree, "a-c")) },
  { what: "a file's folder", change: (tree) => renameSync(join(tree, "a-b"), join(tree, "a", "b")) },
  { what: "whether a file may run", change: (tree) => chmodSync(join(tree, "a-b"), 0o740) },
  {
    what: "where a link leads",
    change: (tree) => {
      rmSync(join(tree, "z"));
      symlinkSync("a-b", join(tree, "z"));
    },
  },
  {
    what: "a link for a file",
    change: (tree) => {
      rmSync(join(tree, "z"));
      writeFileSync(join(tree, "z"), "a/run");
    },
  },
  { what: "an empty folder more", change: (tree) => mkdirSync(join(tree, "e")) },
  { what: "a file less", change: (tree) => rmSync(join(tree, "a-b")) },
];

test("every change that a program could notice changes it", (t) => {
  const before = hex(treeDigest(sample(t)));
  const seen = new Set([before]);
  for (const { what, change } of CHANGES) {
    const tree = sample(t);
    change(tree);
    const after = hex(treeDigest(tree));
    assert.ok(!seen.has(after), what);
    seen.add(after);
  }
});

test("owner, times and other permissions do not change it", (t) => {
  const tree = sample(t);
  const before = hex(treeDigest(tree));
  chmodSync(join(tree, "a-b"), 0o666);
  chmodSync(join(tree, "a"), 0o700);
  assert.equal(hex(treeDigest(tree)), before);
});
