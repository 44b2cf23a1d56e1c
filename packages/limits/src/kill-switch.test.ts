import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { KillSwitch, type KillSwitchSettings } from "./kill-switch.ts";

const SETTINGS: KillSwitchSettings = { windowMs: 10_000, denyRateThreshold: 0.5, minCalls: 4 };
const setup = (settings: Partial<KillSwitchSettings> = {}, max?: number) => {
  const clock = { now: 0 };
  return { clock, kill: new KillSwitch({ ...SETTINGS, ...settings }, () => clock.now, max) };
};

void describe("the kill switch", () => {
  void it("trips at the call that reaches the rate, and not before there are enough calls", () => {
    const { kill } = setup();
    assert.deepEqual(
      [true, true, true, true].map((denied) => kill.count("alice", denied)),
      [false, false, false, true],
    );
    assert.deepEqual(kill.holdOf("alice"), { kind: "blocked", trigger: "deny_rate" });
    assert.equal(kill.holdOf("bob"), null);
    assert.equal(kill.count("alice", true), false, "a block trips once");
  });

  void it("trips exactly when the calls of the window say so", () => {
    const calls = fc.array(fc.record({ after: fc.nat(4), denied: fc.boolean() }), { maxLength: 60 });
    fc.assert(
      fc.property(calls, (made) => {
        // Whole buckets, so that the window is exact: 60 ms, one bucket a millisecond and one more.
        const { kill, clock } = setup({ windowMs: 60 });
        const seen: { at: number; denied: boolean }[] = [];
        for (const { after, denied } of made) {
          clock.now += after;
          seen.push({ at: clock.now, denied });
          const window = seen.filter(({ at }) => clock.now - at <= 60);
          const rate = window.filter((call) => call.denied).length / window.length;
          const trips = window.length >= 4 && rate >= 0.5;
          assert.equal(kill.count("alice", denied), trips);
          if (trips) return;
        }
      }),
    );
  });

  void it("forgets denials when their window is over", () => {
    const { kill, clock } = setup();
    for (let call = 0; call < 3; call += 1) kill.count("alice", true);
    clock.now = 11_000;
    assert.equal(kill.count("alice", true), false);
  });

  void it("keeps a block until an operator lifts it, and then counts anew", () => {
    const { kill, clock } = setup();
    assert.equal(kill.block("alice", "operator"), true);
    assert.equal(kill.block("alice", "operator"), false);
    clock.now = 1e9;
    assert.deepEqual(kill.holdOf("alice"), { kind: "blocked", trigger: "operator" });
    assert.equal(kill.unblock("alice"), true);
    assert.equal(kill.holdOf("alice"), null);
    assert.equal(kill.unblock("alice"), false);
    assert.equal(kill.count("alice", true), false);
  });

  void it("forgets with a block what it counted before", () => {
    const { kill } = setup();
    for (let call = 0; call < 3; call += 1) assert.equal(kill.count("alice", true), false);
    kill.block("alice", "operator");
    kill.unblock("alice");
    assert.deepEqual(
      [true, true, true, true].map((denied) => kill.count("alice", denied)),
      [false, false, false, true],
    );
  });

  void it("blocks everybody where the records are incomplete, but for those unblocked since", () => {
    const { kill } = setup();
    kill.restore({ blocked: ["eve"], unknownExcept: new Set(["alice", "eve"]) });
    assert.equal(kill.holdOf("alice"), null);
    assert.deepEqual(kill.holdOf("eve"), { kind: "blocked", trigger: "history" });
    assert.deepEqual(kill.holdOf("bob"), { kind: "blocked", trigger: "history" });
    assert.equal(kill.unblock("bob"), true);
    assert.equal(kill.holdOf("bob"), null);
  });

  void it("names a block of its own where the records are incomplete", () => {
    const { kill } = setup();
    kill.restore({ blocked: [], unknownExcept: new Set() });
    assert.equal(kill.block("bob", "operator"), false, "it was blocked");
    assert.deepEqual(kill.holdOf("bob"), { kind: "blocked", trigger: "operator" });
    assert.equal(kill.blocked, 1);
  });

  void it("lifts no more blocks of incomplete records than it has room for", () => {
    const { kill } = setup({}, 2);
    kill.restore({ blocked: [], unknownExcept: new Set(["alice"]) });
    kill.unblock("bob");
    assert.equal(kill.holdOf("bob"), null);
    kill.unblock("carol");
    assert.deepEqual(kill.holdOf("carol"), { kind: "blocked", trigger: "history" });
  });

  void it("takes over as many blocks as it has room for, and refuses everybody after more", () => {
    const { kill } = setup({}, 2);
    kill.restore({ blocked: ["alice", "bob"], unknownExcept: null });
    assert.equal(kill.holdOf("carol"), null);
    kill.restore({ blocked: ["carol"], unknownExcept: null });
    assert.deepEqual([kill.blocked, kill.holdOf("dan")], [2, { kind: "uncounted" }]);
  });

  void it("trips for nobody that it does not count", () => {
    const { kill } = setup({ minCalls: 1 }, 1);
    kill.count("alice", false);
    assert.equal(kill.count("bob", true), false);
    assert.equal(kill.blocked, 0);
  });

  void it("refuses a principal that it has no room to count", () => {
    const { kill, clock } = setup({}, 2);
    kill.count("alice", true);
    kill.count("bob", true);
    assert.deepEqual(kill.holdOf("carol"), { kind: "uncounted" });
    assert.equal(kill.holdOf("alice"), null);
    clock.now = 11_000;
    assert.equal(kill.holdOf("carol"), null, "nothing is counted any more of the others");
  });

  void it("refuses everybody whose block may be one that did not fit", () => {
    const { kill } = setup({}, 2);
    for (const name of ["alice", "bob", "carol"]) kill.block(name, "operator");
    assert.equal(kill.blocked, 2);
    assert.deepEqual(kill.holdOf("carol"), { kind: "uncounted" });
  });
});
