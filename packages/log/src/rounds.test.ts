import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { formatCheckpoint } from "./checkpoint.ts";
import { Rounds, witnessedHead, type StoredHead } from "./rounds.ts";
import { SigningWitness } from "./testing/signing-witness.ts";
import { leafHash } from "./tree.ts";
import { readWitnessPolicy } from "./verify.ts";

const [A, B, C, D] = ["a", "b", "c", "d"].map((name) => new SigningWitness(name));
assert.ok(A !== undefined && B !== undefined && C !== undefined && D !== undefined);
const lines = [A, B, C].map(({ line }) => line).join("");
const TWO_OF_THREE = readWitnessPolicy(`${lines}group g 2 a b c\nquorum g\n`);
const ONLY_D = readWitnessPolicy(`${D.line}quorum d\n`);

function headOf(size: number): StoredHead {
  const root = leafHash(new TextEncoder().encode(String(size)));
  return { size, text: formatCheckpoint({ origin: "gateway.example/log/0", size, root }) };
}

test("a head is witnessed by a quorum, at the time that all of it has reached", () => {
  const head = headOf(5);
  const cosigned = A.cosign(head.text, 100) + B.cosign(head.text, 101);
  assert.deepEqual(witnessedHead(head, cosigned, [TWO_OF_THREE]), { size: 5, time: 100 });
  assert.deepEqual(witnessedHead(head, cosigned + C.cosign(head.text, 999_999), [TWO_OF_THREE]), {
    size: 5,
    time: 101,
  });
  assert.equal(witnessedHead(head, A.cosign(head.text, 100), [TWO_OF_THREE]), undefined);
});

test("of two policies both are met on one head, and the earlier time counts", () => {
  const head = headOf(5);
  const ofOne = A.cosign(head.text, 100) + B.cosign(head.text, 101);
  assert.equal(witnessedHead(head, ofOne, [TWO_OF_THREE, ONLY_D]), undefined);
  assert.equal(witnessedHead(head, D.cosign(head.text, 50), [TWO_OF_THREE, ONLY_D]), undefined);
  const both = ofOne + D.cosign(head.text, 50);
  assert.deepEqual(witnessedHead(head, both, [TWO_OF_THREE, ONLY_D]), { size: 5, time: 50 });
});

test("cosignatures of another head, an older one included, are no votes", () => {
  const [head, older] = [headOf(5), headOf(4)];
  const elsewhere = older.text.replace("gateway", "other");
  for (const text of [older.text, elsewhere]) {
    const replayed: string = A.cosign(text, 100) + B.cosign(text, 100);
    assert.equal(witnessedHead(head, replayed, [TWO_OF_THREE]), undefined);
    assert.equal(witnessedHead(head, A.cosign(head.text, 100) + B.cosign(text, 100), [TWO_OF_THREE]), undefined);
  }
});

test("whatever the host answers is a round without a quorum", () => {
  const rounds = new Rounds([TWO_OF_THREE], 7);
  rounds.store(headOf(1));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.constant("x".repeat(10_000_000))), (answer) => {
      const round = rounds.begin() ?? assert.fail();
      assert.equal(rounds.end(round, answer), false);
    }),
  );
  assert.equal(rounds.floor, 7);
  assert.ok(!rounds.isWitnessed(0));
});

test("a leaf that was stored after its round began waits for the next", () => {
  const rounds = new Rounds([TWO_OF_THREE], 0);
  const [first, second] = [headOf(3), headOf(4)];
  const cosign = ({ text }: StoredHead, time: number): string => A.cosign(text, time) + B.cosign(text, time);
  assert.equal(rounds.begin(), null, "nothing is stored");
  rounds.store(first);
  const one = rounds.begin() ?? assert.fail();
  rounds.store(second);
  assert.equal(rounds.begin(), null, "one round at a time");
  assert.ok(rounds.end(one, cosign(first, 10)));
  assert.deepEqual([rounds.isWitnessed(2), rounds.isWitnessed(3)], [true, false]);
  const two = rounds.begin() ?? assert.fail();
  assert.equal(two.head, second);
  assert.ok(!rounds.end(two, cosign(first, 11)), "the older head's cosignatures do not count for the newer");
  const three = rounds.begin() ?? assert.fail();
  assert.ok(rounds.end(three, cosign(second, 12)));
  assert.ok(rounds.isWitnessed(3));
  assert.ok(!rounds.end(three, cosign(second, 99)), "a round ends once");
  assert.equal(rounds.floor, 12);
});

test("a round that was given up changes nothing", () => {
  const rounds = new Rounds([TWO_OF_THREE], 0);
  const head = headOf(1);
  rounds.store(head);
  const late = rounds.begin() ?? assert.fail();
  rounds.giveUp(late);
  assert.ok(!rounds.end(late, A.cosign(head.text, 10) + B.cosign(head.text, 10)));
  assert.ok(!rounds.isWitnessed(0));
  const next = rounds.begin() ?? assert.fail();
  rounds.giveUp(late);
  assert.equal(rounds.begin(), null, "giving up an older round leaves this one");
  assert.ok(rounds.end(next, A.cosign(head.text, 11) + B.cosign(head.text, 11)));
});

test("the floor never falls, and is no later than a whole quorum's clocks", () => {
  const clocks = fc.array(fc.tuple(fc.nat(1000), fc.nat(1000), fc.nat(1000)), { maxLength: 8 });
  fc.assert(
    fc.property(clocks, (all) => {
      const rounds = new Rounds([TWO_OF_THREE], 1);
      for (const [at, [a, b, c]] of all.entries()) {
        const head = headOf(at + 1);
        rounds.store(head);
        const before = rounds.floor;
        const answer = A.cosign(head.text, a + 1) + B.cosign(head.text, b + 1) + C.cosign(head.text, c + 1);
        assert.ok(rounds.end(rounds.begin() ?? assert.fail(), answer));
        const [, second = 0] = [a + 1, b + 1, c + 1].toSorted((left, right) => right - left);
        assert.equal(rounds.floor, Math.max(before, second));
      }
    }),
    { numRuns: 30 },
  );
});

test("stored heads grow, and rounds have a policy", () => {
  const rounds = new Rounds([TWO_OF_THREE], 0);
  rounds.store(headOf(2));
  for (const size of [2, 1, 0]) assert.throws(() => rounds.store(headOf(size)), { code: "INTERNAL" });
  assert.throws(() => new Rounds([], 0), { code: "INTERNAL" });
});
