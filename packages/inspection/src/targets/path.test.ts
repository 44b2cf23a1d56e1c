import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { commonPath, normalisePath } from "./path.ts";

/** `../../etc/passwd`, disguised in each way that is known to get past a check of the text. */
const TRAVERSALS = [
  "../../etc/passwd",
  "..\\..\\etc\\passwd",
  "..//..//etc///passwd",
  "./.././../etc/./passwd",
  "x/../../../etc/passwd",
  "%2e%2e/%2e%2e/etc/passwd",
  "%2E%2E%2F%2e%2E%2fetc%2fpasswd",
  "..%2f..%2fetc%2fpasswd",
  "..%5c..%5cetc%5cpasswd",
  "%252e%252e%252f%252e%252e%252fetc/passwd",
  "%25252e%25252e/%25252e%25252e/etc/passwd",
  "..%c0%af..%c0%afetc/passwd",
  "..%c1%9c..%c1%9cetc/passwd",
  "%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
  "%e0%80%ae%e0%80%ae/%f0%80%80%ae%f0%80%80%ae/etc/passwd",
  "%u002e%u002e%u002f..%u2215etc/passwd",
  "..\uFF0F..\uFF0Fetc\u2215passwd",
  "\uFF0E\uFF0E/\u2025/etc/passwd",
  "%ef%bc%8e%ef%bc%8e/../etc/passwd",
  ".. /..;jsessionid=1/etc/passwd",
  ".\t./.\n./etc/passwd",
  "../../etc/passwd\0.png",
  "../../etc/passwd%00.png",
];

test("every disguise of a traversal has one normal form, and says that it leaves its start", () => {
  for (const raw of TRAVERSALS)
    assert.deepEqual(normalisePath(raw), { path: "../../etc/passwd", escapes: true, complete: true }, raw);
});

test("an absolute traversal ends where it leads, and one above the root says so", () => {
  assert.deepEqual(normalisePath("/srv/data/../../etc/passwd"), {
    path: "/etc/passwd",
    escapes: false,
    complete: true,
  });
  assert.deepEqual(normalisePath("/srv/%2e%2e/%2e%2e/etc/passwd"), {
    path: "/etc/passwd",
    escapes: true,
    complete: true,
  });
});

test("an ordinary path stays as it is", () => {
  for (const path of ["/srv/data/a b.txt", "docs/readme.md", "/", ".", "/srv/\u00E9t\u00E9", "a/..b/c..", "/100%"])
    assert.deepEqual(normalisePath(path), { path, escapes: false, complete: true }, path);
});

test("a path that means something else than it says is marked", () => {
  for (const raw of [
    "~/x",
    "~root/x",
    "$HOME/x",
    "%APPDATA%/x",
    "C:x",
    "\\\\?\\C:\\x",
    "\\\\.\\COM1",
    "....//x",
    "%2fx",
  ])
    assert.equal(normalisePath(raw).escapes, true, raw);
  assert.deepEqual(normalisePath("C:\\Data\\..\\x"), { path: "c:/x", escapes: false, complete: true });
});

test("what is not read within bounds is incomplete", () => {
  const deep = `%${"25".repeat(9)}2e`;
  for (const raw of ["a".repeat(2_049), "\uD800", "caf%e9", deep])
    assert.deepEqual(normalisePath(raw), { path: "", escapes: true, complete: false }, raw.slice(0, 30));
});

const piece = fc.constantFrom(
  ..."../,..\\,./,/,\\,%2e,%2f,%5c,%25,%,2e,C:,~,;,x, ,%c0%af,\uFF0F,\uFF0E,\0,%00,\t,é,e\u0301,%u002e,..;a".split(","),
);
const hostile = fc.oneof(
  fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join("")),
  fc.string({ unit: "binary" }),
);

test("a normal form is its own normal form, without a way up from a root", () => {
  fc.assert(
    fc.property(hostile, (raw) => {
      const { path, complete } = normalisePath(raw);
      if (!complete) return assert.equal(path, "");
      assert.deepEqual([normalisePath(path).path, normalisePath(path).complete], [path, true]);
      const [, ...below] = path.replace(/^(?:\.\.\/)+/, "").split("/");
      assert.ok(!below.includes("..") && !/[\\\0]|\/\//.test(path), path);
    }),
    { numRuns: 3_000 },
  );
});

test("letters beside bytes that are no UTF-8 stay what they are", () => {
  assert.equal(normalisePath("/a%c0%ae%62%7A").path, "/a.bz");
});

test("the common path is the deepest that holds all", () => {
  for (const [paths, common] of [
    [[], ""],
    [["/srv/a.txt"], "/srv/a.txt"],
    [["/srv/a/x", "/srv/a/y"], "/srv/a"],
    [["/srv/a", "/srv/ab"], "/srv"],
    [["/srv/a", "/etc"], "/"],
    [["a/b", "a"], "a"],
    [["/srv/a", "/srv/a/b"], "/srv/a"],
    [["/srv/a", "/srv/a/b", "/srv/a/b/c"], "/srv/a"],
    [["/srv/a/b", "/srv/a/b", "/srv/c"], "/srv"],
    [["a", "b"], "."],
    [["/a", "a"], ""],
    [["/"], "/"],
    [["a", "."], "."],
  ] as const)
    assert.equal(commonPath(paths), common, JSON.stringify(paths));
});
