import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { COUNT_BOUND } from "./rolling-count.ts";
import { WindowLimits, type WindowLimit } from "./window-limits.ts";

const CALLS: WindowLimit = { principal: null, tool: null, windowMs: 1000, of: "calls", max: 3 };
const call = { principal: "alice", tool: "read", calls: 1, bytes: 10 } as const;
const setup = (limits: readonly WindowLimit[], max?: number) => {
  const clock = { now: 0 };
  return { clock, limits: new WindowLimits(limits, () => clock.now, max) };
};

void describe("limits of a window", () => {
  void it("never let more through than the limit in any window", () => {
    const made = fc.array(fc.record({ after: fc.nat(300), bytes: fc.nat(40) }), { maxLength: 120 });
    fc.assert(
      fc.property(made, fc.integer({ min: 1, max: 5 }), (calls, max) => {
        const bytes: WindowLimit = { ...CALLS, of: "bytes", max: 100 };
        const { clock, limits } = setup([{ ...CALLS, max }, bytes]);
        const sent: { at: number; bytes: number }[] = [];
        for (const { after, bytes: size } of calls) {
          clock.now += after;
          const tried = { ...call, bytes: size };
          if (limits.find(tried) !== null) continue;
          limits.take(tried);
          sent.push({ at: clock.now, bytes: size });
          const window = sent.filter(({ at }) => clock.now - at < 1000);
          assert.ok(window.length <= max);
          assert.ok(window.reduce((sum, one) => sum + one.bytes, 0) <= 100);
        }
      }),
    );
  });

  void it("let calls through again when the window is over", () => {
    const { clock, limits } = setup([CALLS]);
    for (let made = 0; made < 3; made += 1) limits.take(call);
    assert.deepEqual(limits.find(call), { kind: "reached", index: 0, of: "calls" });
    clock.now = 1100;
    assert.equal(limits.find(call), null);
  });

  void it("count each principal apart, and only the tool they name", () => {
    const { limits } = setup([
      { ...CALLS, tool: "read", max: 1 },
      { ...CALLS, principal: "bob", max: 1 },
    ]);
    limits.take(call);
    assert.notEqual(limits.find(call), null);
    assert.equal(limits.find({ ...call, tool: "write" }), null);
    assert.equal(limits.find({ ...call, principal: "bob" }), null);
  });

  void it("let through exactly what they allow", () => {
    const { limits } = setup([{ ...CALLS, of: "bytes", max: 100 }]);
    assert.notEqual(limits.find({ ...call, bytes: 101 }), null);
    for (const bytes of [60, 40]) {
      assert.equal(limits.find({ ...call, bytes }), null);
      limits.take({ ...call, bytes });
    }
    assert.equal(limits.find({ ...call, bytes: 0 }), null);
    assert.notEqual(limits.find({ ...call, bytes: 1 }), null);
  });

  void it("hold all at once, so that the stricter of two decides", () => {
    const { limits } = setup([
      { ...CALLS, max: 5 },
      { ...CALLS, windowMs: 9000, max: 1 },
    ]);
    limits.take(call);
    assert.deepEqual(limits.find(call), { kind: "reached", index: 1, of: "calls" });
  });

  void it("are reached by a count at its bound, whatever the limit", () => {
    const { limits } = setup([{ ...CALLS, of: "bytes", max: Number.MAX_SAFE_INTEGER }]);
    limits.take({ ...call, bytes: COUNT_BOUND });
    assert.deepEqual(limits.find({ ...call, bytes: 0 }), { kind: "reached", index: 0, of: "bytes" });
  });

  void it("refuse a principal that there is no room to count", () => {
    const { limits } = setup([CALLS], 1);
    limits.take(call);
    assert.deepEqual(limits.find({ ...call, principal: "bob" }), { kind: "uncounted" });
  });
});
