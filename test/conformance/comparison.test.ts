import assert from "node:assert/strict";
import { test } from "node:test";
import { compare } from "./comparison.ts";
import type { Deviation } from "./deviations.ts";
import type { Results, Status } from "./suite.ts";

function results(scenarios: Record<string, Record<string, Status>>): Results {
  return new Map(
    Object.entries(scenarios).map(([name, checks]) => [
      name,
      new Map(Object.entries(checks).map(([id, status]) => [id, { status, message: undefined }])),
    ]),
  );
}

const LISTED: Deviation = {
  role: "server",
  version: "2025-11-25",
  scenario: "a",
  outcomes: { x: "INFO" },
  clause: "Transports",
  reason: "because",
};

test("equal columns hold", () => {
  const columns = results({ a: { x: "SUCCESS" }, b: { y: "INFO", z: "SKIPPED" } });
  const { holds, rows } = compare(columns, columns, []);
  assert.equal(holds, true);
  assert.deepEqual(
    rows.map(({ direct, through, differences }) => [direct, through, differences.length]),
    [
      ["SUCCESS", "SUCCESS", 0],
      ["SKIPPED", "SKIPPED", 0],
    ],
  );
});

test("any other status, a missing check and a missing scenario are differences", () => {
  for (const through of [
    { a: { x: "INFO" } },
    { a: { x: "SUCCESS", y: "INFO" } },
    { a: { x: "SUCCESS", y: "FAILURE" } },
    { a: {} },
    {},
    { a: { x: "SUCCESS" }, b: { y: "SUCCESS" } },
  ] as const) {
    assert.equal(compare(results({ a: { x: "SUCCESS" } }), results(through), []).holds, false, JSON.stringify(through));
  }
});

test("a check that passes and did not run direct is no difference", () => {
  assert.equal(
    compare(results({ a: { x: "SUCCESS" } }), results({ a: { x: "SUCCESS", y: "SUCCESS" } }), []).holds,
    true,
  );
  assert.equal(compare(results({ a: { x: "SKIPPED" } }), results({ a: { x: "SUCCESS" } }), []).holds, true);
  assert.equal(compare(results({ a: { x: "SUCCESS" } }), results({ a: { x: "SKIPPED" } }), []).holds, false);
});

test("a column that fails alike on both sides does not hold", () => {
  for (const status of ["FAILURE", "WARNING"] as const) {
    const columns = results({ a: { x: status } });
    assert.equal(compare(columns, columns, []).holds, false);
  }
});

test("a listed deviation explains its own difference and no other", () => {
  const direct = results({ a: { x: "SUCCESS", y: "SUCCESS" } });
  const holds = (through: Results): boolean => compare(direct, through, [LISTED]).holds;
  assert.equal(holds(results({ a: { x: "INFO", y: "SUCCESS" } })), true);
  assert.equal(holds(results({ a: { x: "FAILURE", y: "SUCCESS" } })), false);
  assert.equal(holds(results({ a: { x: "INFO", y: "INFO" } })), false);
});

test("a listed deviation that does not occur fails", () => {
  const columns = results({ a: { x: "SUCCESS" } });
  const { holds, stale } = compare(columns, columns, [LISTED]);
  assert.equal(holds, false);
  assert.deepEqual(stale, [{ deviation: LISTED, check: "x" }]);
  const partly = { ...LISTED, outcomes: { x: "INFO", y: "absent" } } as const;
  assert.equal(
    compare(results({ a: { x: "SUCCESS", y: "SUCCESS" } }), results({ a: { x: "INFO", y: "SUCCESS" } }), [partly])
      .holds,
    false,
    "a part that does not occur fails",
  );
  assert.equal(
    compare(results({ a: { x: "SUCCESS", y: "SUCCESS" } }), results({ a: { x: "INFO" } }), [partly]).holds,
    true,
  );
});
