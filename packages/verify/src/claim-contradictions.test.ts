import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromBase64Url, toBase64Url } from "@cmcp/boundary";
import type { Claim } from "@cmcp/claim/schema";
import { sessionReportData } from "@cmcp/attestation";
import { claimOf, entriesOf, failures, judge, OTHER_HASH, recordOf } from "./testing/session.ts";
import { another, bundle, claim, instance, PINS, record, resigned } from "./testing/intact-record.ts";

describe("a claim that its own key signed and that contradicts itself or the bundle", () => {
  const half = (from: number): string => {
    const bytes = fromBase64Url(claim.trace.runtime.nonce) ?? new Uint8Array();
    bytes[from] = (bytes[from] ?? 0) ^ 1;
    return toBase64Url(bytes);
  };
  const cases: Record<string, [(draft: Claim) => void, string[]]> = {
    "another policy": [
      (draft) => (draft.trace.policy.bundle_hash = OTHER_HASH),
      ["policy in force POLICY_HASH_MISMATCH"],
    ],
    "another catalog": [
      (draft) => (draft.gateway.catalog.hash = OTHER_HASH),
      ["catalog in force CATALOG_HASH_MISMATCH"],
    ],
    "another root": [
      (draft) => (draft.gateway.audit_chain.root = "0".repeat(64)),
      ["chain root bound by report data CHAIN_ROOT_NOT_BOUND", "audit chain CHAIN_BROKEN"],
    ],
    "another root, bound by its report": [
      (draft) => {
        draft.gateway.audit_chain.root = "0".repeat(64);
        draft.trace.runtime.nonce = toBase64Url(sessionReportData(instance.thumbprint, "0".repeat(64)));
      },
      ["audit chain CHAIN_BROKEN"],
    ],
    "another tip": [(draft) => (draft.gateway.audit_chain.tip = "0".repeat(64)), ["audit chain CHAIN_BROKEN"]],
    "another length": [(draft) => (draft.gateway.audit_chain.length += 1), ["audit chain CHAIN_BROKEN"]],
    "another session": [
      (draft) => (draft.gateway.session_id = "11111111-1111-4111-8111-111111111111"),
      ["bundle's session CHAIN_BROKEN"],
    ],
    "the nonce's first half": [
      (draft) => (draft.trace.runtime.nonce = half(0)),
      ["key bound by report data PUBLIC_KEY_NOT_BOUND"],
    ],
    "the nonce's second half": [
      (draft) => (draft.trace.runtime.nonce = half(32)),
      ["chain root bound by report data CHAIN_ROOT_NOT_BOUND"],
    ],
    "another kid": [(draft) => (draft.trace.cnf.jwk.kid = "cmcp-00000000"), ["key names SIGNATURE_INVALID"]],
    "another subject": [
      (draft) => (draft.trace.subject = "spiffe://cmcp.gateway/tee/0000000000000000"),
      ["key names SIGNATURE_INVALID"],
    ],
    "a decision in the transcript": [
      (draft) =>
        draft.trace.tool_transcript.entries.splice(1, 1, {
          tool_name: "get-env",
          data_class: "public",
          decision: "allow",
        }),
      ["transcript CLAIM_INCONSISTENT"],
    ],
    "a call missing from the transcript": [
      (draft) => draft.trace.tool_transcript.entries.splice(1, 1),
      ["transcript CLAIM_INCONSISTENT"],
    ],
    "the transcript's count": [
      (draft) => (draft.trace.tool_transcript.call_count = 4),
      ["transcript CLAIM_INCONSISTENT"],
    ],
    "the transcript's hash": [
      (draft) => (draft.trace.tool_transcript.hash = OTHER_HASH),
      ["transcript CLAIM_INCONSISTENT"],
    ],
    "calls in total": [
      (draft) => (draft.gateway.call_summary.tool_calls_total = 4),
      ["call summary CLAIM_INCONSISTENT"],
    ],
    "calls allowed": [
      (draft) => (draft.gateway.call_summary.tool_calls_allowed = 2),
      ["call summary CLAIM_INCONSISTENT"],
    ],
    "calls denied": [
      (draft) => (draft.gateway.call_summary.tool_calls_denied = 0),
      ["call summary CLAIM_INCONSISTENT"],
    ],
    "calls that failed": [
      (draft) => (draft.gateway.call_summary.tool_calls_faulted = 0),
      ["call summary CLAIM_INCONSISTENT"],
    ],
    "the tools invoked": [
      (draft) => draft.gateway.call_summary.tools_invoked.pop(),
      ["call summary CLAIM_INCONSISTENT"],
    ],
    "the highest sensitivity": [
      (draft) => (draft.gateway.call_summary.session_max_sensitivity = "public"),
      ["call summary CLAIM_INCONSISTENT"],
    ],
    "the domains touched": [
      (draft) => draft.gateway.call_summary.call_graph_summary.compliance_domains_touched.pop(),
      ["call summary CLAIM_INCONSISTENT"],
    ],
    "drift that nothing recorded": [
      (draft) => (draft.gateway.catalog.drift_detected = true),
      ["drift CLAIM_INCONSISTENT"],
    ],
    "the data class": [(draft) => (draft.trace.data_class = "public"), ["call summary CLAIM_INCONSISTENT"]],
    "the mode": [
      (draft) => (draft.trace.policy.enforcement_mode = "advisory"),
      ["mode, isolation and channel in root entry CLAIM_INCONSISTENT", "enforcement mode MODE_NOT_ACCEPTED"],
    ],
    "the isolation": [
      (draft) => (draft.trace.runtime.firmware_version = "software-only; isolation=none; channel=plain"),
      ["mode, isolation and channel in root entry CLAIM_INCONSISTENT"],
    ],
    "the channel": [
      (draft) => (draft.trace.runtime.firmware_version = "software-only; isolation=network-namespace; channel=sealed"),
      ["mode, isolation and channel in root entry CLAIM_INCONSISTENT"],
    ],
  };
  for (const [what, [change, expected]] of Object.entries(cases)) {
    test(what, async () => {
      const verdict = await judge({ claim: resigned(change), bundle });
      assert.equal(verdict.outcome, "rejected");
      assert.deepEqual(failures(verdict), expected);
    });
  }

  test("an attacker who signs everything again with a key of their own is found by the pinned key alone", async () => {
    const entries = entriesOf(another);
    const forged = recordOf(another, entries);
    assert.equal((await judge(forged)).outcome, "accepted");
    assert.deepEqual(failures(await judge(forged, PINS)), ["trusted key SIGNATURE_INVALID"]);
  });

  test("a server that an entry says to be in an attested machine, in a claim without hardware", async () => {
    const entries = entriesOf(instance, true, { evidence_class: "attested" });
    assert.deepEqual(failures(await judge(recordOf(instance, entries))), ["servers in the machine CLAIM_INCONSISTENT"]);
  });

  test("a claim of another key over the same entries does not carry their bundle", async () => {
    assert.deepEqual(failures(await judge({ claim: claimOf(another, record.entries), bundle })), [
      "bundle signature SIGNATURE_INVALID",
    ]);
  });
});
