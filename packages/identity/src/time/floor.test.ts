import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { TimeFloor } from "./floor.ts";

test("time never goes back, never falls below the floor, and never runs slower than the monotonic clock", () => {
  const step = fc.record({
    wall: fc.oneof(fc.integer({ min: -1e6, max: 1e6 }), fc.constant(Number.NaN)),
    forward: fc.nat(10_000),
    raise: fc.option(fc.nat(1e6)),
  });
  fc.assert(
    fc.property(fc.nat(1e5), fc.array(step, { minLength: 1, maxLength: 30 }), (floor, steps) => {
      let wall = 0;
      let monotonic = 5_000;
      const clock = new TimeFloor(floor, { wall: () => wall, monotonic: () => monotonic });
      let last = floor;
      for (const { wall: jump, forward, raise } of steps) {
        wall = jump;
        monotonic += forward;
        const now = clock.now();
        assert.ok(now >= last + forward);
        assert.ok(Number.isNaN(wall) || now >= wall);
        assert.ok(
          now <= Math.max(last + forward, Number.isNaN(wall) ? 0 : wall),
          "and never ahead of what somebody said",
        );
        if (raise !== null) clock.raise(raise);
        last = Math.max(now, raise ?? 0);
      }
    }),
  );
});

test("the platform's clocks are the default", () => {
  const before = Date.now();
  const now = new TimeFloor(0).now();
  assert.ok(now >= before && now <= Date.now());
});
