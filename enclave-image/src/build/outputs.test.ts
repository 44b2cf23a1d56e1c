import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { firstDifference, requireSame } from "./compare.ts";
import { digestOf, isSignedBy, manifestBytes, readSigningKey, signManifest, type Manifest } from "./manifest.ts";

const manifest: Manifest = {
  version: 1,
  inputs: "ab".repeat(32),
  kernel: "6.12",
  files: { vmlinuz: digestOf(Buffer.from("k")), "initramfs.cpio.zst": digestOf(Buffer.from("i")) },
};

test("a manifest is one text, whatever order its files were written in", () => {
  const turned = { ...manifest, files: Object.fromEntries(Object.entries(manifest.files).toReversed()) };
  assert.deepEqual(manifestBytes(manifest), manifestBytes(turned));
  assert.match(Buffer.from(manifestBytes(manifest)).toString(), /"vmlinuz":\{"sha256":"[0-9a-f]{64}","size":1\}/);
});

test("its signature holds for the trusted key and these bytes alone", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const bytes = manifestBytes(manifest);
  const signature = signManifest(bytes, privateKey);
  assert.ok(isSignedBy(bytes, signature, signature.key));
  const other = signManifest(bytes, generateKeyPairSync("ed25519").privateKey);
  assert.ok(!isSignedBy(bytes, { ...signature, signature: other.signature }, signature.key));
  assert.ok(!isSignedBy(bytes, other, signature.key), "the key inside the signature counts for nothing");
  assert.ok(!isSignedBy(bytes, { ...signature, signature: "!" }, signature.key));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ change;
      assert.ok(!isSignedBy(changed, signature, signature.key));
    }),
  );
});

test("a key of another kind, or none, is refused", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-key-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "key.pem");
  assert.throws(() => readSigningKey(path), { code: "USAGE" });
  writeFileSync(
    path,
    generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }),
  );
  assert.throws(() => readSigningKey(path), { code: "USAGE", message: /not Ed25519/ });
});

test("two builds are the same only when every file of either is", () => {
  const a = new Map([
    ["x", Buffer.from("123")],
    ["y", Buffer.from("456")],
  ]);
  assert.equal(firstDifference(a, new Map(a)), null);
  assert.equal(firstDifference(new Map(), new Map()), "nothing was built");
  assert.equal(firstDifference(a, new Map([["x", Buffer.from("123")]])), "only one build has y");
  assert.equal(firstDifference(new Map([["x", Buffer.from("123")]]), a), "only one build has y");
  assert.equal(firstDifference(a, new Map([...a, ["y", Buffer.from("4x6")]])), "y differs from byte 1 on");
  assert.equal(firstDifference(a, new Map([...a, ["y", Buffer.from("4567")]])), "y differs from byte 3 on");
  requireSame(a, new Map(a));
  assert.throws(() => requireSame(a, new Map()), { code: "IMAGE_NOT_REPRODUCIBLE", message: "only one build has x" });
});
