import assert from "node:assert/strict";
import { test } from "node:test";
import { compare as compareColumns, type Comparison } from "./comparison.ts";
import type { Deviation } from "./deviations.ts";
import type { Results, Status } from "./suite.ts";
import { authorizationHolds, authorizationLines, tableLines } from "./table.ts";

function results(scenarios: Record<string, Record<string, Status>>): Results {
  return new Map(
    Object.entries(scenarios).map(([name, checks]) => [
      name,
      new Map(Object.entries(checks).map(([id, status]) => [id, { status, message: undefined }])),
    ]),
  );
}

/** With the seal changing nothing, unless said. */
const compare = (
  direct: Results,
  through: Results,
  deviations: readonly Deviation[],
  sealed: Results = through,
): Comparison => compareColumns({ direct, through, sealed }, deviations);

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
    rows.map(({ direct, through, sealed, differences }) => [direct, through, sealed, differences.length]),
    [
      ["SUCCESS", "SUCCESS", "SUCCESS", 0],
      ["SKIPPED", "SKIPPED", "SKIPPED", 0],
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

test("whatever comes out otherwise under the seal is a difference, and no listed deviation explains it", () => {
  const plain = results({ a: { x: "SUCCESS", y: "SKIPPED" } });
  for (const sealed of [
    { a: { x: "INFO", y: "SKIPPED" } },
    { a: { x: "SUCCESS", y: "SUCCESS" } },
    { a: { x: "SUCCESS" } },
    { a: { x: "SUCCESS", y: "SKIPPED", z: "SUCCESS" } },
    {},
    { a: { x: "SUCCESS", y: "SKIPPED" }, b: { x: "SUCCESS" } },
  ] as const)
    assert.equal(compare(plain, plain, [], results(sealed)).holds, false, JSON.stringify(sealed));
  const direct = results({ a: { x: "SUCCESS" } });
  const { holds, rows } = compare(direct, results({ a: { x: "INFO" } }), [LISTED], direct);
  assert.equal(holds, false, "better than in the clear is another thing, too");
  assert.deepEqual(rows[0]?.sealDifferences, [{ check: "x", plain: "INFO", sealed: "SUCCESS", message: undefined }]);
});

test("the table has a column for each, and names what differs under the seal", () => {
  const plain = results({ scenario: { x: "SUCCESS" } });
  const lines = [...tableLines("server", compare(plain, plain, [], results({ scenario: { x: "FAILURE" } })))];
  assert.deepEqual(lines, [
    "server    direct   gateway  sealed",
    "scenario  success  success  failure  1 checks differ",
    "  DIFFERS scenario x: SUCCESS in the clear, FAILURE under the seal.",
  ]);
});

test("a scenario about OAuth holds where every check passed, and the agent's end is not the only one", () => {
  const good = results({ "auth/a": { x: "SUCCESS", y: "INFO", agent: "SUCCESS" } });
  assert.equal(authorizationHolds(good), true);
  assert.deepEqual([...authorizationLines("oauth", good)], ["oauth   upstream side", "auth/a  success  2 checks"]);
  for (const checks of [
    { x: "SUCCESS", agent: "FAILURE" },
    { x: "WARNING", y: "SUCCESS", agent: "SUCCESS" },
    { x: "SKIPPED", y: "SUCCESS", agent: "SUCCESS" },
    { x: "INFO", agent: "SUCCESS" },
  ] as const)
    assert.equal(authorizationHolds(results({ "auth/a": checks })), false, JSON.stringify(checks));
});
