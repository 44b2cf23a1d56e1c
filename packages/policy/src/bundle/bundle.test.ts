import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { CmcpError, type ErrorCode } from "@cmcp/boundary";
import { readBundle, type BundleFiles } from "./read.ts";

const MANIFEST = {
  version: "1.2.0",
  authored_at: "2026-10-01T08:30:00Z",
  author_identity: "policy@bank.example",
  commit_sha: "0f9d3c1",
  approval_chain: [{ approver: "risk@bank.example", approved_at: "2026-10-02T10:00:00Z", signature: "c2ln" }],
  extra: { n: 3, b: true, z: null },
};

const FILES: BundleFiles = {
  "manifest.json": JSON.stringify({ ...MANIFEST, signature: "AAAA" }, null, 2),
  "a.cedar": "permit (principal, action, resource);\n",
  "deep/b.cedar": 'forbid (principal, action, resource)\nwhen { context.session_max_sensitivity == "mnpi" };\n',
  "schema.cedarschema": '// what rules read\n{"cMCP": {}}\n',
};

// Computed with the existing implementation's package over the same folder.
const EXISTING = "sha256:c9fb0d90a3c0d51f66f392b2ea164a35cccdc75cff5a9401c0168ef03618bd95";

function refused(files: BundleFiles, message: RegExp, code: ErrorCode = "POLICY_BUNDLE_INVALID"): void {
  assert.throws(
    () => readBundle(files),
    (thrown) => {
      assert.ok(thrown instanceof CmcpError);
      assert.equal(thrown.code, code);
      assert.match(thrown.message, message);
      return true;
    },
  );
}

const without = (path: string): BundleFiles =>
  Object.fromEntries(Object.entries(FILES).filter(([name]) => name !== path));

void test("a bundle hashes as the existing implementation hashes it, its signature apart", () => {
  const bundle = readBundle(FILES);
  assert.equal(bundle.hash, EXISTING);
  assert.equal(bundle.version, "1.2.0");
  assert.equal(bundle.manifest.signature, "AAAA");
  assert.deepEqual([...bundle.cedarFiles.keys()], ["a.cedar", "deep/b.cedar"]);
  assert.equal(readBundle({ ...FILES, "manifest.json": JSON.stringify(MANIFEST) }).hash, EXISTING);
});

void test("files that are no part of a bundle do not change its hash", () => {
  assert.equal(readBundle({ ...FILES, "README.md": "x", "deep/schema.cedarschema": "y" }).hash, EXISTING);
});

void test("line ends are read as the existing implementation reads them, and evaluated as hashed", () => {
  const bundle = readBundle(
    Object.fromEntries(Object.entries(FILES).map(([path, text]) => [path, text.replaceAll("\n", "\r\n")])),
  );
  assert.equal(bundle.hash, EXISTING);
  assert.equal(bundle.cedarFiles.get("a.cedar"), "permit (principal, action, resource);\n");
});

void test("the hash does not depend on the order of files or manifest keys", () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray(Object.keys(FILES), { minLength: 4 }),
      fc.shuffledSubarray(Object.keys(MANIFEST), { minLength: 6 }),
      (paths, keys) => {
        const manifest = JSON.stringify(
          Object.fromEntries(keys.map((key) => [key, MANIFEST[key as keyof typeof MANIFEST]])),
        );
        const files = Object.fromEntries(
          paths.map((path) => [path, path === "manifest.json" ? manifest : (FILES[path] ?? "")]),
        );
        assert.equal(readBundle(files).hash, EXISTING);
      },
    ),
  );
});

void test("any change of a part changes the hash", () => {
  const parts = ["a.cedar", "deep/b.cedar", "schema.cedarschema"];
  fc.assert(
    fc.property(fc.constantFrom(...parts), fc.stringMatching(/^[ -~]{1,20}$/), (path, added) => {
      assert.notEqual(readBundle({ ...FILES, [path]: `${FILES[path] ?? ""}${added}` }).hash, EXISTING);
    }),
  );
  assert.notEqual(readBundle({ ...without("a.cedar"), "c.cedar": FILES["a.cedar"] ?? "" }).hash, EXISTING);
});

void test("an incomplete bundle is refused, naming what is missing", () => {
  refused({}, /no \.cedar file/);
  refused(without("manifest.json"), /no manifest\.json/);
  refused(without("schema.cedarschema"), /no schema\.cedarschema/);
  refused({ "manifest.json": "{}", "schema.cedarschema": "", "README.cedar.md": "" }, /no \.cedar file/);
  for (const field of ["version", "authored_at", "author_identity", "commit_sha"]) {
    const rest = Object.fromEntries(Object.entries(MANIFEST).filter(([key]) => key !== field));
    refused({ ...FILES, "manifest.json": JSON.stringify(rest) }, new RegExp(`manifest\\.json has no ${field}`));
  }
  refused({ ...FILES, "manifest.json": JSON.stringify({ ...MANIFEST, version: 2 }) }, /manifest\.json: version/);
  refused({ ...FILES, "manifest.json": "[]" }, /not an object/);
  refused({ ...FILES, "manifest.json": '{"version":"1","version":"2"}' }, /duplicate/, "JSON_DUPLICATE_KEY");
});

void test("a bundle is bounded", () => {
  const others = Object.values(FILES).join("").length;
  const room = (count: number, length: number): BundleFiles => ({
    ...FILES,
    ...Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}.txt`, " ".repeat(length)])),
  });
  assert.equal(readBundle(room(496, 0)).hash, EXISTING);
  assert.equal(readBundle({ ...room(3, 262_144), rest: " ".repeat(262_144 - others) }).hash, EXISTING);
  refused({ ...room(3, 262_144), rest: " ".repeat(262_144 - others), more: " " }, /limit 1048576/);
  assert.equal(readBundle({ ...FILES, ["x".repeat(256)]: "" }).hash, EXISTING);
  refused({ ...FILES, ["x".repeat(257)]: "" }, /relative path/);
  refused({ ...FILES, "a.cedar": " ".repeat(256 * 1024 + 1) }, /limit 262144/);
  refused(
    { ...FILES, ...Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`${index}.cedar`, ""])) },
    /limit 500/,
  );
  refused(
    {
      ...FILES,
      ...Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`${index}.cedar`, " ".repeat(250 * 1024)])),
    },
    /limit 1048576/,
  );
  refused({ ...FILES, "x.cedar": "\ud800" }, /well-formed/);
  for (const path of [
    "../x.cedar",
    "/x.cedar",
    "a/../x.cedar",
    "a//x.cedar",
    `${"d/".repeat(130)}x.cedar`,
    "a\\x.cedar",
  ])
    refused({ ...FILES, [path]: "" }, /relative path/);
});
