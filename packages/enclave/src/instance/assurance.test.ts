import assert from "node:assert/strict";
import { test } from "node:test";
import { assuranceOf } from "./assurance.ts";

test("assurance is named for what it can be at most", () => {
  assert.deepEqual(
    (["software-only", "tpm2", "amd-sev-snp", "azure-cvm-sev-snp", "intel-tdx"] as const).map(assuranceOf),
    ["functional-only", "host-trusted", "as appraised", "as appraised", "as appraised"],
  );
});
