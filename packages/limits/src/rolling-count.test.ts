import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { BUCKETS, COUNT_BOUND, RollingCount } from "./rolling-count.ts";

const steps = fc.array(fc.record({ after: fc.nat(400), amount: fc.nat(5) }), { maxLength: 200 });

void describe("a rolling count", () => {
  void it("has everything of its window, and nothing older than one bucket more", () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 2000 }), (events, windowMs) => {
        const count = new RollingCount(windowMs);
        const seen: { at: number; amount: number }[] = [];
        let now = 0;
        for (const { after, amount } of events) {
          now += after;
          count.add(now, amount);
          seen.push({ at: now, amount });
          const within = (age: number): number =>
            seen.filter(({ at }) => now - at < age).reduce((sum, event) => sum + event.amount, 0);
          const total = count.total(now);
          assert.ok(total >= within(windowMs));
          assert.ok(total <= within(windowMs + windowMs / BUCKETS + 1e-6));
        }
      }),
    );
  });

  void it("stops at its bound", () => {
    const count = new RollingCount(1000);
    for (let at = 0; at < 3; at += 1) count.add(at * 500, COUNT_BOUND);
    assert.equal(count.total(1000), COUNT_BOUND);
    assert.equal(count.total(10_000), 0);
  });

  void it("takes a clock that goes back for one that stands still", () => {
    const count = new RollingCount(1000);
    count.add(5000, 1);
    count.add(10, 1);
    assert.equal(count.total(10), 2);
    assert.equal(count.total(5000), 2);
  });
});
