import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { keyDigest, keyedRequestDigest } from "./call-key.ts";
import { snapshotRowSchema } from "./snapshot.ts";
import { UsedKeys } from "./used-keys.ts";

const digestOf = (name: number): string => name.toString(16).padStart(64, "0");
const noted = (principal: string, name: number) => ({ principal, key: digestOf(name), request: digestOf(0) });

/** The same keys by way of a snapshot. */
function restored(used: UsedKeys, bounds = { ofPrincipal: 3, inAll: 5 }): UsedKeys {
  const again = new UsedKeys(bounds);
  for (const row of used.rows()) {
    const read = snapshotRowSchema.parse(row);
    if (read.row === "keys" || read.row === "forgotten-keys") again.restore(read);
  }
  return again;
}

test("a principal's oldest key is forgotten beyond the bound, and no other principal's bound rises", () => {
  const used = new UsedKeys({ ofPrincipal: 3, inAll: 100 });
  for (let name = 1; name <= 3; name += 1) used.note(noted("alice", name), name * 10, true);
  assert.deepEqual([used.forgottenOf("alice"), used.find(digestOf(1))?.index], [0, 10]);
  used.note(noted("alice", 4), 40, true);
  assert.equal(used.find(digestOf(1)), undefined);
  assert.deepEqual([used.forgottenOf("alice"), used.forgottenOf("bob")], [11, 0]);
  assert.equal(used.find(digestOf(2))?.index, 20);
});

test("in all there is a bound too, and what a principal that is left without keys has forgotten counts for everybody", () => {
  const used = new UsedKeys({ ofPrincipal: 3, inAll: 3 });
  used.note(noted("alice", 1), 10, true);
  for (let name = 2; name <= 4; name += 1) used.note(noted("bob", name), name * 10, true);
  assert.equal(used.find(digestOf(1)), undefined);
  assert.deepEqual([used.forgottenOf("alice"), used.forgottenOf("carol")], [11, 11]);
});

test("without other bounds 4096 keys of a principal are remembered, and 65536 in all", () => {
  const used = new UsedKeys();
  const note = (principal: string, from: number, count: number): void => {
    for (let name = from; name < from + count; name += 1) used.note(noted(principal, name), name, true);
  };
  note("p0", 0, 4_096);
  assert.deepEqual([used.forgottenOf("p0"), used.size], [0, 4_097]);
  note("p0", 4_096, 1);
  assert.deepEqual([used.forgottenOf("p0"), used.size], [1, 4_097]);
  for (let principal = 1; principal < 16; principal += 1) note(`p${principal}`, principal * 4_097, 4_096);
  assert.deepEqual([used.forgottenOf("p0"), used.size], [1, 65_536 + 16]);
  note("last", 70_000, 1);
  assert.deepEqual([used.forgottenOf("p0"), used.forgottenOf("p1"), used.size], [2, 0, 65_536 + 17]);
});

test("its size counts every key, every principal, and the bound for everybody once there is one", () => {
  const used = new UsedKeys({ ofPrincipal: 3, inAll: 100 });
  assert.deepEqual([used.size, [...used.rows()]], [0, []]);
  used.note(noted("alice", 1), 10, true);
  used.note(noted("alice", 2), 11, false);
  used.note(noted("bob", 3), 12, true);
  assert.equal(used.size, 5);
  used.forget(1);
  assert.equal(used.size, 6);
  used.forget(0);
  const key = (name: number, index: number) => ({ key: digestOf(name), index });
  assert.deepEqual(
    [...used.rows()],
    [
      { row: "forgotten-keys", before: 1 },
      { row: "keys", principal: "alice", forgotten: 0, keys: [key(1, 10), { ...key(2, 11), open: true }] },
      { row: "keys", principal: "bob", forgotten: 0, keys: [key(3, 12)] },
    ],
  );
});

test("a row has 256 keys at most", () => {
  const used = new UsedKeys();
  for (let name = 0; name < 257; name += 1) used.note(noted("alice", name), name, true);
  assert.deepEqual(
    [...used.rows()].map((row) => (row.row === "keys" ? row.keys.length : 0)),
    [256, 1],
  );
  const again = restored(used, { ofPrincipal: 1_000, inAll: 1_000 });
  assert.deepEqual([...again.rows()], [...used.rows()]);
});

test("a call's end takes the place of its intent, and keeps the key's age", () => {
  const used = new UsedKeys({ ofPrincipal: 2, inAll: 100 });
  used.note(noted("alice", 1), 1, false);
  used.note(noted("alice", 2), 2, false);
  used.note(noted("alice", 1), 3, true);
  assert.deepEqual(used.find(digestOf(1)), { principal: "alice", request: digestOf(0), index: 3, ended: true });
  used.note(noted("alice", 3), 4, true);
  assert.deepEqual([used.find(digestOf(1)), used.forgottenOf("alice")], [undefined, 4]);
});

test("property: a key that was used is found, or names fewer records than the bound, by way of any snapshots", () => {
  const use = fc.record({
    principal: fc.constantFrom("alice", "bob", "carol"),
    ends: fc.boolean(),
    snapshot: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(use, { maxLength: 40 }), (uses) => {
      let used = new UsedKeys({ ofPrincipal: 3, inAll: 5 });
      for (const [index, { principal, ends, snapshot }] of uses.entries()) {
        used.note(noted(principal, index), index, ends);
        if (snapshot) used = restored(used);
      }
      for (const [index, { principal, ends }] of uses.entries()) {
        const known = used.find(digestOf(index));
        // The key named at most as many records as there were before its own.
        if (known === undefined) assert.ok(index < used.forgottenOf(principal));
        else assert.deepEqual([known.principal, known.index, known.ended], [principal, index, ends]);
      }
      assert.ok([...used.rows()].flatMap((row) => (row.row === "keys" ? row.keys : [])).length <= 5);
    }),
  );
});

test("a key is another one in another log and of another principal, and a commitment says nothing without its key", () => {
  const digests = [
    keyDigest({ origin: "a/0", principal: "alice" }, "key"),
    keyDigest({ origin: "b/0", principal: "alice" }, "key"),
    keyDigest({ origin: "a/0", principal: "bob" }, "key"),
    keyDigest({ origin: "a/0", principal: "alice" }, "other"),
    keyDigest({ origin: 'a/0","alice', principal: "" }, "key"),
    keyedRequestDigest("key", { name: "echo" }),
    keyedRequestDigest("other", { name: "echo" }),
    keyedRequestDigest("key", { name: "other" }),
  ];
  assert.equal(new Set(digests).size, digests.length);
  assert.equal(keyedRequestDigest("key", { a: 1, b: 2 }), keyedRequestDigest("key", { b: 2, a: 1 }));
});
