import assert from "node:assert/strict";
import { test } from "node:test";
import { converge, isCurrent, needsConfiguration, TCB_STATUSES } from "./tcb-status.ts";

test("a component that is out of date demotes what is current, and keeps the need for configuration", () => {
  assert.deepEqual(
    TCB_STATUSES.map((status) => [status, converge(status, "OutOfDate")]),
    [
      ["UpToDate", "OutOfDate"],
      ["SWHardeningNeeded", "OutOfDate"],
      ["ConfigurationNeeded", "OutOfDateConfigurationNeeded"],
      ["ConfigurationAndSWHardeningNeeded", "OutOfDateConfigurationNeeded"],
      ["OutOfDate", "OutOfDate"],
      ["OutOfDateConfigurationNeeded", "OutOfDateConfigurationNeeded"],
      ["Revoked", "Revoked"],
      ["RelaunchAdvised", "RelaunchAdvised"],
      ["RelaunchAdvisedConfigurationNeeded", "RelaunchAdvisedConfigurationNeeded"],
    ],
  );
});

test("a revoked component revokes, a current one changes nothing", () => {
  for (const status of TCB_STATUSES) {
    assert.equal(converge(status, "Revoked"), "Revoked");
    assert.equal(converge(status, "UpToDate"), status);
  }
});

test("converging never makes anything better", () => {
  const worst = (status: (typeof TCB_STATUSES)[number]): number =>
    status === "Revoked" ? 2 : isCurrent(status) ? 0 : 1;
  for (const status of TCB_STATUSES) {
    for (const component of ["UpToDate", "OutOfDate", "Revoked"] as const) {
      const result = converge(status, component);
      assert.ok(worst(result) >= worst(status) && worst(result) >= worst(component));
      if (result !== "Revoked") assert.equal(needsConfiguration(result), needsConfiguration(status));
    }
  }
});
