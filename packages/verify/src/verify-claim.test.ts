import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { canonicalBytes } from "@cmcp/boundary";
import { EAT_PROFILES, type Claim } from "@cmcp/claim/schema";
import { webcrypto } from "node:crypto";
import { Instance } from "./testing/instance.ts";
import { altered, entriesOf, EXPECTED, failures, ISSUED_AT, judge, OTHER_HASH, recordOf } from "./testing/session.ts";
import { verifyClaim } from "./verify-claim.ts";
import { another, bundle, claim, instance, PINS, record, resigned } from "./testing/intact-record.ts";

describe("an intact record", () => {
  test("is accepted, with every check that was made by name", async () => {
    const verdict = await judge(record, PINS);
    assert.equal(verdict.outcome, "accepted");
    assert.equal(verdict.completeness, "closed session");
    assert.equal(verdict.assurance, "functional only");
    assert.equal(verdict.origin, "trusted key");
    assert.equal(verdict.session, claim.gateway.session_id);
    assert.equal(verdict.signingKey, instance.jwk.x);
    const receipts = [1, 2, 3, 4, 5].flatMap((at) => [`receipt ${at} signature`, `receipt ${at}`]);
    const passed = [
      "claim form",
      "bundle form",
      "receipt form",
      "receipt form",
      "receipt form",
      "receipt form",
      "receipt form",
      "claim signature",
      "key names",
      "trusted key",
      "key bound by report data",
      "chain root bound by report data",
      "software-only accepted",
      "profile",
      "policy hash",
      "catalog hash",
      "issue time",
      "age",
      "attestation freshness",
      "bundle's session",
      "audit chain",
      "enforcement mode",
      "kill switch",
      "bundle signature",
      "transcript",
      "call summary",
      "drift",
      "catalog in force",
      "catalog of every decision",
      "mode, isolation and channel in root entry",
      "policy in force",
      "policy of every decision",
      ...receipts,
    ];
    assert.deepEqual(
      verdict.checks
        .filter(({ status }) => status === "passed")
        .map(({ name }) => name)
        .toSorted(),
      passed.toSorted(),
    );
    assert.deepEqual(
      verdict.checks.filter(({ status }) => status !== "passed").map(({ name, status }) => [name, status]),
      [
        ["platform evidence", "not-applicable"],
        ["policy of launch document", "not-performed"],
        ["held claims", "not-performed"],
        ["log", "not-performed"],
      ],
    );
  });

  test("without pins, bundle and receipts says what was not performed", async () => {
    const verdict = await judge({ claim });
    assert.equal(verdict.origin, "not proven");
    assert.equal(verdict.outcome, "accepted");
    assert.equal(verdict.completeness, "unknown");
    assert.deepEqual(
      verdict.checks.filter(({ status }) => status === "not-performed").map(({ name }) => name),
      [
        "trusted key",
        "policy hash",
        "catalog hash",
        "age",
        "audit chain",
        "policy of launch document",
        "receipts",
        "held claims",
        "log",
      ],
    );
  });

  test("of a session that is still open is accepted as an open prefix", async () => {
    const open = recordOf(new Instance(), entriesOf(instance, false));
    const verdict = await judge(open);
    assert.deepEqual([verdict.outcome, verdict.completeness], ["accepted", "open prefix"]);
  });
});

describe("a host that changes a claim and cannot sign", () => {
  const changes: Record<string, (draft: Claim) => void> = {
    "policy hash": (draft) => (draft.trace.policy.bundle_hash = OTHER_HASH),
    "catalog hash": (draft) => (draft.gateway.catalog.hash = OTHER_HASH),
    decision: (draft) => draft.trace.tool_transcript.entries.forEach((entry) => (entry.decision = "allow")),
    "sequence number": (draft) => (draft.gateway.sequence_number += 1),
    "issue time": (draft) => (draft.trace.iat += 1),
  };
  for (const [what, change] of Object.entries(changes)) {
    test(`${what}: the signature does not hold`, async () => {
      const verdict = await judge({ claim: altered(claim, change) });
      assert.deepEqual([verdict.outcome, failures(verdict)], ["rejected", ["claim signature SIGNATURE_INVALID"]]);
      assert.deepEqual([verdict.signingKey, verdict.session, verdict.assurance], [null, null, "none established"]);
    });
  }

  test("a signature by another key does not hold", async () => {
    assert.deepEqual(failures(await judge({ claim: { ...another.claim(claim) } })), [
      "claim signature SIGNATURE_INVALID",
    ]);
  });

  test("a signature that is no signature does not hold", async () => {
    for (const signature of ["", "AA", `${claim.signature}A`, "!".repeat(86)])
      assert.deepEqual(failures(await judge({ claim: { ...claim, signature } })), [
        "claim signature SIGNATURE_INVALID",
      ]);
  });
});

describe("the platform", () => {
  test("software is accepted only when asked for", async () => {
    const verdict = await judge(record, { allowSoftwareOnly: false });
    assert.equal(verdict.outcome, "rejected");
    assert.deepEqual(failures(verdict), ["software-only accepted SOFTWARE_ONLY_NOT_ACCEPTED"]);
  });

  test("hardware without its evidence is rejected; a platform nobody here can verify is unsupported, and what is wrong besides rejects", async () => {
    for (const platform of ["intel-tdx", "amd-sev-snp", "tpm2", "azure-cvm-sev-snp"] as const) {
      const bare = await judge({ claim: resigned((draft) => (draft.trace.runtime.platform = platform)), bundle });
      assert.deepEqual(
        [bare.outcome, bare.assurance, failures(bare)],
        ["rejected", "none established", ["platform evidence EVIDENCE_MISSING"]],
      );
    }
    for (const platform of ["aws-nitro"] as const) {
      const hardware = resigned((draft) => (draft.trace.runtime.platform = platform));
      const verdict = await judge({ claim: hardware, bundle });
      assert.deepEqual(
        [verdict.outcome, failures(verdict)],
        ["unsupported", ["platform evidence UNSUPPORTED_PROVIDER"]],
      );
      assert.equal((await judge({ claim: another.claim(hardware), bundle })).outcome, "rejected");
    }
  });

  const posing: Record<string, (draft: Claim) => void> = {
    "a measurement": (draft) => (draft.trace.runtime.measurement = OTHER_HASH),
    "a longer measurement": (draft) => (draft.trace.runtime.measurement = `sha384:${"0".repeat(96)}`),
    evidence: (draft) => (draft.gateway.attestation_evidence = { raw_evidence: "AA" }),
    "empty evidence": (draft) => (draft.gateway.attestation_evidence = {}),
    "a hardware firmware text": (draft) =>
      (draft.trace.runtime.firmware_version = "tdx-module 1.5; isolation=network-namespace; channel=plain"),
    "another firmware text": (draft) => (draft.trace.runtime.firmware_version = "software-only"),
  };
  for (const [what, change] of Object.entries(posing)) {
    test(`software with ${what} is rejected`, async () => {
      const verdict = await judge({ claim: resigned(change), bundle });
      assert.deepEqual([verdict.outcome, failures(verdict)], ["rejected", ["platform evidence PUBLIC_KEY_NOT_BOUND"]]);
    });
  }
});

describe("pins and time", () => {
  test("another policy, catalog or key than the pinned one", async () => {
    assert.deepEqual(failures(await judge(record, { policyHash: OTHER_HASH })), ["policy hash POLICY_HASH_MISMATCH"]);
    assert.deepEqual(failures(await judge(record, { catalogHash: OTHER_HASH })), [
      "catalog hash CATALOG_HASH_MISMATCH",
    ]);
    assert.deepEqual(failures(await judge(record, { trustedKey: another.jwk.x })), ["trusted key SIGNATURE_INVALID"]);
  });

  test("a claim under another profile than the expected one", async () => {
    const verdict = await judge(record, { eatProfile: EAT_PROFILES[1] });
    assert.deepEqual([verdict.outcome, failures(verdict)], ["malformed", ["profile CLAIM_MALFORMED"]]);
  });

  test("a claim from the future, with a minute for clocks that differ", async () => {
    const at = (seconds: number) => ({ now: new Date((ISSUED_AT + seconds) * 1000) });
    assert.equal((await judge(record, at(-60))).outcome, "accepted");
    assert.deepEqual(failures(await judge(record, at(-61))), ["issue time ATTESTATION_STALE"]);
  });

  test("a claim older than accepted", async () => {
    assert.equal((await judge(record, { maxAgeSeconds: 30 })).outcome, "accepted");
    assert.deepEqual(failures(await judge(record, { maxAgeSeconds: 29 })), ["age ATTESTATION_STALE"]);
  });

  test("a report that was stale when the claim was made", async () => {
    assert.deepEqual(
      failures(await judge({ claim: resigned((draft) => (draft.gateway.attestation_stale = true)), bundle })),
      ["attestation freshness ATTESTATION_STALE"],
    );
  });
});

describe("files that are not the documented form", () => {
  const text = new TextDecoder().decode(canonicalBytes(claim));
  const malformed: Record<string, string> = {
    empty: "",
    "not JSON": "claim",
    truncated: text.slice(0, -1),
    "with more after it": `${text}{}`,
    "a duplicate key": text.replace('"cmcp_version":"1.0"', '"cmcp_version":"1.0","cmcp_version":"1.0"'),
    "an unknown member": text.replace('"cmcp_version":"1.0"', '"cmcp_version":"1.0","appraisal":{}'),
    "an unknown version": text.replace('"cmcp_version":"1.0"', '"cmcp_version":"2.0"'),
    "an unknown profile": text.replace(EAT_PROFILES[0], "tag:example.org,2026:x"),
    "nested too deep": text.replace(
      '"cross_boundary_events":[]',
      `"cross_boundary_events":${"[".repeat(40)}${"]".repeat(40)}`,
    ),
  };
  for (const [what, file] of Object.entries(malformed)) {
    test(`a claim that is ${what}`, async () => {
      assert.notEqual(file, text, "the text was changed");
      const verdict = await verifyClaim(
        { claim: new TextEncoder().encode(file), bundle: canonicalBytes(bundle) },
        EXPECTED,
        webcrypto,
      );
      assert.deepEqual([verdict.outcome, failures(verdict)], ["malformed", ["claim form CLAIM_MALFORMED"]]);
      assert.deepEqual([verdict.completeness, verdict.session, verdict.signingKey], ["unknown", null, null]);
    });
  }

  test("a bundle or receipt with a duplicate key", async () => {
    const twice = (value: object, key: string) =>
      new TextEncoder().encode(
        new TextDecoder().decode(canonicalBytes(value)).replace(`"${key}":`, `"${key}":"x","${key}":`),
      );
    const [receipt = {}] = record.receipts;
    const broken = await verifyClaim(
      { claim: canonicalBytes(claim), bundle: twice(bundle, "bundle_signature") },
      EXPECTED,
      webcrypto,
    );
    assert.deepEqual([broken.outcome, failures(broken)], ["malformed", ["bundle form BUNDLE_MALFORMED"]]);
    const verdict = await verifyClaim(
      { claim: canonicalBytes(claim), receipts: [twice(receipt, "decision")] },
      EXPECTED,
      webcrypto,
    );
    assert.deepEqual([verdict.outcome, failures(verdict)], ["malformed", ["receipt form RECEIPT_MALFORMED"]]);
  });
});
