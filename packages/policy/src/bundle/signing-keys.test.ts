import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { SigningKeys, type KeyChange } from "./signing-keys.ts";

const INVALID = { code: "POLICY_KEY_REVOCATION_INVALID" };

describe("policy signing keys", () => {
  test("hand over once each, and never to a key that was in use", () => {
    const keys = new SigningKeys("a");
    keys.apply({ key: "a", next: "b" });
    assert.deepEqual([keys.current, keys.isRetired("a"), keys.isRevoked("a")], ["b", true, false]);
    for (const [key, next] of [
      ["a", "c"],
      ["b", "a"],
      ["b", "b"],
      ["c", "d"],
    ] as const)
      assert.throws(() => keys.apply({ key, next }), INVALID);
    keys.apply({ key: "b", next: "c" });
    assert.throws(() => keys.apply({ key: "c", next: "b" }), INVALID);
    assert.throws(() => new SigningKeys(null).apply({ key: "a", next: "b" }), INVALID);
  });

  test("are revoked for good, before or after they handed over", () => {
    const keys = new SigningKeys("a");
    keys.apply({ key: "a", next: "b" });
    keys.apply({ key: "a", next: null });
    assert.deepEqual([keys.current, keys.isRevoked("a"), keys.isRevoked("b")], ["b", true, false]);
    assert.throws(() => keys.apply({ key: "a", next: null }), INVALID);
    assert.throws(() => keys.apply({ key: "x", next: null }), INVALID);
    keys.apply({ key: "b", next: null });
    assert.equal(keys.current, null);
    assert.equal(keys.isRevoked(null), false);
  });

  test("are restored from changes in any order", () => {
    const changes: readonly KeyChange[] = [
      { key: "a", next: "b" },
      { key: "b", next: "c" },
      { key: "a", next: null },
      { key: "a", next: "b" },
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray([...changes], { minLength: 4 }), (shuffled) => {
        const keys = new SigningKeys("a");
        keys.restore(shuffled);
        assert.deepEqual([keys.current, keys.isRevoked("a"), keys.isRetired("b")], ["c", true, true]);
      }),
    );
    const fresh = new SigningKeys("c");
    fresh.restore(changes);
    assert.equal(fresh.current, "c", "a later launch document pins the last key");
  });

  test("sign nothing where a key has two successors, or a circle", () => {
    const forked = new SigningKeys("a");
    forked.restore([
      { key: "a", next: "b" },
      { key: "a", next: "c" },
    ]);
    assert.equal(forked.current, null);
    const circle = new SigningKeys("a");
    circle.restore([
      { key: "a", next: "b" },
      { key: "b", next: "a" },
    ]);
    assert.equal(circle.current, null);
    const revoked = new SigningKeys("a");
    revoked.restore([
      { key: "a", next: "b" },
      { key: "b", next: null },
    ]);
    assert.equal(revoked.current, null);
  });

  test("change a bounded number of times", () => {
    const keys = new SigningKeys("0");
    for (let at = 0; at < 64; at += 1) keys.apply({ key: `${at}`, next: `${at + 1}` });
    assert.throws(() => keys.apply({ key: "64", next: "65" }), INVALID);
    assert.throws(() => keys.apply({ key: "64", next: null }), INVALID);
  });

  test("say whether one that signs no more passes a test", () => {
    const keys = new SigningKeys("a");
    assert.equal(
      keys.hasSigned(() => true),
      false,
    );
    keys.apply({ key: "a", next: "b" });
    keys.apply({ key: "b", next: null });
    assert.ok(["a", "b"].every((key) => keys.hasSigned((one) => one === key)));
    assert.equal(
      keys.hasSigned((one) => one === "c"),
      false,
    );
    assert.ok(keys.isRetired("b") && !keys.isRetired("c"));
  });

  test("do not come back as a successor that was the first", () => {
    const keys = new SigningKeys("a");
    keys.restore([{ key: "a", next: "a" }]);
    assert.equal(keys.current, null);
    const later = new SigningKeys("a");
    later.apply({ key: "a", next: "b" });
    assert.throws(() => later.apply({ key: "b", next: "a" }), { ...INVALID, message: /in use before/ });
  });
});
