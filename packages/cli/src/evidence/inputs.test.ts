import assert from "node:assert/strict";
import { test } from "node:test";
import { timeOf } from "./inputs.ts";

test("a time of verification is a date, from its first moment in UTC, or a date and time with its offset, and nothing else that `Date` takes", () => {
  for (const [given, time] of [
    ["2026-09-21", "2026-09-21T00:00:00.000Z"],
    ["2026-09-21T14:13:50Z", "2026-09-21T14:13:50.000Z"],
    ["2026-09-21T14:13:50+02:00", "2026-09-21T12:13:50.000Z"],
  ] as const)
    assert.equal(timeOf(given).toISOString(), time);
  for (const given of ["12", "2026", "2026-02-30", "2026-09-21T14:13:50", "21 Sep 2026", ""])
    assert.throws(() => timeOf(given), { code: "USAGE" }, given);
});
