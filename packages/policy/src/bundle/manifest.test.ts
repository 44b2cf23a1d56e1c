import assert from "node:assert/strict";
import { test } from "node:test";
import { MANIFEST } from "../test-support.ts";
import { readManifest } from "./manifest.ts";
import { compareVersions, requireHigherVersion } from "./version.ts";

const read = (change: object): boolean => {
  try {
    return readManifest(JSON.stringify({ ...MANIFEST, ...change })).version.length > 0;
  } catch {
    return false;
  }
};

test("every text and list of a manifest ends where its bound is", () => {
  for (const name of ["version", "authored_at", "author_identity", "commit_sha", "signature"]) {
    assert.ok(read({ [name]: "1".repeat(1024) }) && !read({ [name]: "1".repeat(1025) }), name);
    assert.ok(!read({ [name]: 1 }), name);
  }
  assert.ok(!read({ version: "" }) && read({ version: "v" }));
  const approvals = (count: number) => ({ approval_chain: Array.from({ length: count }, () => ({})) });
  assert.ok(read(approvals(64)) && !read(approvals(65)));
});

test("a manifest is read up to 256 KiB, 16 levels and 4096 values", () => {
  const text = JSON.stringify(MANIFEST);
  assert.equal(readManifest(text.padEnd(262_144)).version, MANIFEST.version);
  assert.throws(() => readManifest(text.padEnd(262_145)), { code: "JSON_TOO_LARGE" });
  const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth));
  assert.ok(read({ more: nested(15) }) && !read({ more: nested(16) }));
  // The object, its five names and four texts, and the array are values too.
  const counted = (items: number) => ({ more: Array.from({ length: items - 11 }, () => 0) });
  assert.ok(read(counted(4_096)) && !read(counted(4_097)));
});

test("versions are compared number by number, a missing one as zero", () => {
  for (const [lower, higher] of [
    ["1", "2"],
    ["1.2", "1.10"],
    ["1.2", "1.2.0.1"],
    ["2026.08.01", "2026.8.2"],
    ["0.999999999999998", "0.999999999999999"],
    ["1.1.1.1.1.1.1.1", "1.1.1.1.1.1.1.2"],
  ] as const) {
    assert.ok(compareVersions(lower, higher) < 0 && compareVersions(higher, lower) > 0, `${lower} ${higher}`);
    requireHigherVersion(higher, lower);
    assert.throws(() => requireHigherVersion(lower, higher), { code: "POLICY_VERSION_NOT_HIGHER" });
  }
  for (const [one, same] of [
    ["1.2", "1.2.0"],
    ["1.02", "1.2"],
  ] as const) {
    assert.equal(compareVersions(one, same), 0);
    assert.throws(() => requireHigherVersion(one, same), { code: "POLICY_VERSION_NOT_HIGHER" });
  }
  for (const version of ["", "1.", "v1", "1-beta", "1".repeat(16), "1.1.1.1.1.1.1.1.1"])
    assert.throws(() => compareVersions("1", version), { code: "POLICY_BUNDLE_INVALID" }, version);
});
