import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KillSwitchMark, SignedKillSwitch } from "@cmcp/audit";
import { restoredBlocks } from "./restore-stops.ts";

type Instances = Parameters<typeof restoredBlocks>[0]["instances"];
type Found = Instances[number];

const signed = (key: string): SignedKillSwitch => ({
  statement: {
    v: 1,
    purpose: "kill-switch-unblock",
    instance: "i".repeat(43),
    principal: "alice",
    sequence: 1,
    reason: "why",
  },
  key,
  signature: "",
});
const unblock = (at: number, key = "operator"): KillSwitchMark["unblock"] => ({ at, signed: signed(key) });

/** One instance, what it says of alice, and the instance that it saw before it. */
function instance(name: string, mark: Partial<KillSwitchMark>, previous?: string, flaw: Found["flaw"] = null): Found {
  const recovered = {
    instance: name,
    facts: previous === undefined ? {} : { previous: { instance: previous, records: 1 } },
    killSwitch: new Map([["alice", { trippedAt: null, unblock: null, ...mark }]]),
  };
  return { recovered: recovered as unknown as NonNullable<Found["recovered"]>, flaw };
}

const restored = (...instances: Found[]) => restoredBlocks({ instances }, ({ key }) => key === "operator");
const isBlocked = (...instances: Found[]): boolean => [...restored(...instances).blocked].includes("alice");

describe("a block of an earlier instance", () => {
  test("stays until an unblock after it", () => {
    assert.equal(isBlocked(instance("a", { trippedAt: 3 })), true);
    assert.equal(isBlocked(instance("a", { trippedAt: 3, unblock: unblock(4) })), false);
    assert.equal(isBlocked(instance("a", { trippedAt: 5, unblock: unblock(4) })), true);
    assert.equal(isBlocked(instance("a", { unblock: unblock(4) })), false);
  });

  test("is lifted by a later instance that saw the journal, directly or through others", () => {
    const trip = instance("a", { trippedAt: 3 });
    assert.equal(isBlocked(trip, instance("b", { unblock: unblock(1) }, "a")), false);
    assert.equal(isBlocked(trip, instance("b", {}, "a"), instance("c", { unblock: unblock(1) }, "b")), false);
  });

  test("is not lifted by an order of journals that the host chose", () => {
    const trip = instance("b", { trippedAt: 3 }, "a");
    const before = instance("a", { unblock: unblock(9) });
    assert.equal(isBlocked(before, trip), true);
    assert.equal(isBlocked(trip, before), true);
    assert.equal(isBlocked(instance("a", { trippedAt: 3 }), instance("b", { unblock: unblock(1) })), true);
    const circle = [instance("a", { unblock: unblock(1) }, "b"), instance("b", {}, "a")];
    assert.equal(isBlocked(...circle, instance("c", { trippedAt: 1 })), true);
  });

  test("is not lifted by a statement that no operator signed", () => {
    assert.equal(isBlocked(instance("a", { trippedAt: 3, unblock: unblock(4, "host") })), true);
    assert.equal(isBlocked(instance("a", { trippedAt: 3 }), instance("b", { unblock: unblock(1, "host") }, "a")), true);
  });

  test("may be any principal's where a journal has a flaw, but for those unblocked since", () => {
    assert.equal(restored(instance("a", {})).unknownExcept, null);
    const flawed = instance("a", { unblock: unblock(2) }, undefined, "gap");
    assert.deepEqual(restored(flawed).unknownExcept, new Set());
    assert.deepEqual(restored(flawed, instance("b", { unblock: unblock(1) }, "a")).unknownExcept, new Set(["alice"]));
    assert.deepEqual(restored({ recovered: null, flaw: "unreadable" }).unknownExcept, new Set());
  });
});
