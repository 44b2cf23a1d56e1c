import assert from "node:assert/strict";
import { test } from "node:test";
import { STRICT_SEV_SNP_POLICY } from "../sev-snp/policy.ts";
import { STRICT_TDX_POLICY } from "../tdx/policy.ts";
import { STRICT_TPM_POLICY } from "../tpm/policy.ts";
import { azureCvmPolicySchema, STRICT_AZURE_CVM_POLICY } from "./policy.ts";

test("the default is the platforms' own, but for what the paravisor does itself", () => {
  const { event_log, ...tdx } = STRICT_TDX_POLICY;
  const { authenticity_only, root_key_sha256, attestation_key_sha256, stale_lists, ...quote } = STRICT_TPM_POLICY;
  assert.deepEqual(STRICT_AZURE_CVM_POLICY, {
    authenticity_only: false,
    sev_snp: STRICT_SEV_SNP_POLICY,
    tdx: { ...tdx, required_attributes: [] },
    vtpm: { ...quote, qualifying_data: ["cmcp-tpm-v1", "exact", "sha256"] },
  });
  assert.deepEqual([event_log.separators, authenticity_only, stale_lists], [[0, 1], false, "fail"]);
  assert.ok(root_key_sha256.length > attestation_key_sha256.length);
});

test("what the paravisor cannot show cannot be asked for", () => {
  for (const wrong of [
    { tdx: { event_log: { separators: [] } } },
    { vtpm: { root_key_sha256: [] } },
    { vtpm: { qualifying_data: [] } },
    { sev_snp: { unknown: 1 } },
    { unknown: 1 },
  ])
    assert.ok(!azureCvmPolicySchema.safeParse(wrong).success, JSON.stringify(wrong));
});
