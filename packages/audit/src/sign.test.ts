import assert from "node:assert/strict";
import { createHash, verify } from "node:crypto";
import { test } from "node:test";
import { canonicalText, fromBase64Url } from "@cmcp/boundary";
import { auditBundleSchema, bundleHashInput, MAX_BUNDLE_ENTRIES, type AuditBundle } from "./bundle.ts";
import type { AuditEntry } from "./entry.ts";
import { incompleteSessionSchema } from "./incomplete.ts";
import { publicKeyOf } from "./journal.ts";
import { bundleText, BundleWriter } from "./sign.ts";
import { WritingInstance } from "./testing/instance.ts";

const SESSION = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const instance = new WritingInstance();
const key = publicKeyOf(instance.jwk);
const root = instance.start(SESSION);
const call = instance.call(SESSION, "call-1");

function verifies(bytes: Uint8Array, signature: string): boolean {
  return verify(null, bytes, key, fromBase64Url(signature) ?? new Uint8Array());
}

function bundleOf(entries: readonly AuditEntry[]): AuditBundle {
  return auditBundleSchema.parse(JSON.parse([...bundleText(SESSION, entries, instance.sign)].join("")));
}

test("an export holds the session's entries, signed over their digest", () => {
  const bundle = bundleOf([root, call]);
  assert.deepEqual(bundle.entries, [root, call]);
  const digest = createHash("sha256")
    .update(canonicalText([root, call]))
    .digest();
  assert.ok(verifies(digest, bundle.bundle_signature));
  assert.ok(
    !verifies(
      createHash("sha256")
        .update(bundleHashInput([call, root]))
        .digest(),
      bundle.bundle_signature,
    ),
  );
});

test("a long export comes in pieces, and is the same text", () => {
  const entries = Array.from({ length: 600 }, (_, index) => (index === 0 ? root : call));
  assert.equal([...bundleText(SESSION, entries, instance.sign)].length, 3 + 1);
  const bundle = bundleOf(entries);
  assert.deepEqual(bundle.entries, entries);
  assert.ok(verifies(createHash("sha256").update(canonicalText(entries)).digest(), bundle.bundle_signature));
  for (const [length, pieces] of [
    [256, 1],
    [257, 2],
    [512, 2],
    [513, 3],
  ] as const) {
    const calls = Array.from({ length }, () => call);
    assert.equal(bundleOf(calls).entries.length, length);
    assert.equal([...bundleText(SESSION, calls, instance.sign)].length, pieces + 1);
  }
});

test("however the entries come, the text is the same, and it is no JSON before its end", () => {
  const entries = Array.from({ length: 20 }, (_, index) => (index === 0 ? root : call));
  const whole = [...bundleText(SESSION, entries, instance.sign)].join("");
  for (const size of [1, 3, 20]) {
    const writer = new BundleWriter(SESSION);
    let text = "";
    for (let from = 0; from < entries.length; from += size) {
      text += writer.add(entries.slice(from, from + size));
      assert.throws(() => JSON.parse(text), SyntaxError);
    }
    assert.equal(text + writer.end(instance.sign), whole);
  }
  assert.throws(() => new BundleWriter(SESSION).add([]), { code: "INTERNAL" });
  assert.throws(() => new BundleWriter(SESSION).end(instance.sign), { code: "INTERNAL" });
});

test("an export is never empty and never longer than a verifier reads", () => {
  assert.throws(() => bundleOf([]), { code: "INTERNAL" });
  assert.equal(MAX_BUNDLE_ENTRIES, 50_000, "as many as a claim's transcript can have");
  assert.throws(() => bundleOf(Array.from({ length: MAX_BUNDLE_ENTRIES + 1 }, () => call)), { code: "INTERNAL" });
  const bundle = bundleOf([root]);
  assert.ok(!auditBundleSchema.safeParse({ ...bundle, entries: [] }).success);
  assert.ok(!auditBundleSchema.safeParse({ ...bundle, extra: 1 }).success);
  const signed = (length: number): boolean =>
    auditBundleSchema.safeParse({ ...bundle, bundle_signature: "A".repeat(length) }).success;
  assert.deepEqual([signed(128), signed(129)], [true, false]);
  assert.ok(!auditBundleSchema.safeParse({ ...bundle, session_id: "label" }).success);
});

test("an incomplete export says so, names its key and has no place for a signature", () => {
  const left = {
    session_id: SESSION,
    incomplete: true,
    signing_key: instance.jwk,
    entries: [root, call],
    receipts: [],
  };
  assert.ok(incompleteSessionSchema.safeParse(left).success);
  for (const change of [
    { incomplete: false },
    { incomplete: undefined },
    { bundle_signature: "x" },
    { entries: [] },
    { signing_key: { ...instance.jwk, d: "x" } },
    { hand_over: null },
    { hand_over: { body: {}, log: {} } },
  ]) {
    assert.ok(!incompleteSessionSchema.safeParse({ ...left, ...change }).success, JSON.stringify(change));
  }
});
