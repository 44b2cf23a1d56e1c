import assert from "node:assert/strict";
import { test } from "node:test";
import type { Check } from "../checks/check.ts";
import { unmet } from "./requirements.ts";

const check = (name: string, status: Check["status"]): Check => ({ name, status, why: `because of ${name}` });

test("a requirement is met by a check of its kind that passed, and by nothing else", () => {
  assert.deepEqual(unmet("sev-snp", ["measurement"], [check("measurement", "passed")]), []);
  assert.deepEqual(unmet("sev-snp", ["measurement"], [check("report data", "passed")]), [
    { requirement: "measurement", why: "nothing of the kind was checked" },
  ]);
  for (const status of ["failed", "not-performed", "not-applicable"] as const)
    assert.deepEqual(unmet("tpm", ["measurement"], [check("measurement", status), check("PCR values", status)]), [
      {
        requirement: "measurement",
        why: "measurement: because of measurement; PCR values: because of PCR values",
      },
    ]);
});

test("what a platform has nothing of is not missing there", () => {
  assert.deepEqual(unmet("sev-snp", ["event_log"], []), []);
  assert.deepEqual(
    unmet("tdx", ["event_log", "tcb"], []).map(({ requirement }) => requirement),
    ["event_log", "tcb"],
  );
});
