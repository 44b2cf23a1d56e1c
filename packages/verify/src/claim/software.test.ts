/** What is asked of a software-only claim besides its own integrity: held to what is there, and otherwise not accepted. */
import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { describe, test } from "node:test";
import { writeEvidenceFile, type EvidenceJson } from "@cmcp/appraise/evidence";
import { collectSoftware, sessionReportData } from "@cmcp/attestation";
import type { AuditEntry } from "@cmcp/audit";
import { canonicalBytes, CmcpError } from "@cmcp/boundary";
import type { Expectations } from "../expectations.ts";
import { Instance, relink } from "../testing/instance.ts";
import {
  CATALOG_HASH,
  EXPECTED,
  failures,
  ISSUED_AT,
  OTHER_HASH,
  POLICY_HASH,
  recordOf,
  entriesOf,
} from "../testing/session.ts";
import { verifyClaim, type ClaimRecord } from "../verify-claim.ts";
import type { ExpectedLaunch } from "./launch-terms.ts";

const DOCUMENT = new TextEncoder().encode('{"v":1}');
const digest = (algorithm: string, bytes: Uint8Array = DOCUMENT): string =>
  createHash(algorithm).update(bytes).digest("hex");
const [SHA256, SHA384] = [digest("sha256"), digest("sha384")];
const read: ExpectedLaunch["read"] = () => ({
  development: true,
  catalogHash: CATALOG_HASH,
  policyHash: POLICY_HASH,
  versions: new Map([[POLICY_HASH, "1.0.0"]]),
  requireMayFollow: () => undefined,
  requireCatalogMayFollow: () => {
    throw new CmcpError("CATALOG_HASH_MISMATCH", "the launch document lets no other catalog follow");
  },
});
const LAUNCH: ExpectedLaunch = { document: DOCUMENT, read };

const instance = new Instance();
const { claim, bundle, entries } = recordOf(
  instance,
  relink(
    entriesOf(instance).map((entry, at) =>
      at === 0 ? { ...entry, detail: { ...entry.detail, launch_digest: `sha256:${SHA256}` } } : entry,
    ),
  ),
);
const root = entries[0];

/** The evidence file of the session, as its gateway gives it. */
function evidenceFile(
  context: { launchDocument?: Uint8Array; rootEntry?: AuditEntry | undefined } = { rootEntry: root },
  of = root?.entry_hash ?? "",
): EvidenceJson {
  const { rootEntry, ...rest } = context;
  return writeEvidenceFile(collectSoftware(sessionReportData(instance.thumbprint, of), ISSUED_AT * 1000), {
    ...rest,
    ...(rootEntry === undefined ? {} : { rootEntry: { ...rootEntry } }),
  });
}

async function failed(
  expected: Partial<Expectations>,
  record: Partial<ClaimRecord> = { bundle: canonicalBytes(bundle) },
): Promise<readonly string[]> {
  const verdict = await verifyClaim(
    { claim: canonicalBytes(claim), ...record },
    { ...EXPECTED, ...expected },
    webcrypto,
  );
  assert.equal(verdict.outcome === "accepted", failures(verdict).length === 0);
  return failures(verdict);
}

describe("the launch of a software-only claim", () => {
  test("is the one that the audit chain begins with", async () => {
    assert.deepEqual(await failed({ launchDigest: SHA256 }), []);
    assert.deepEqual(await failed({ launch: LAUNCH }), []);
    assert.deepEqual(await failed({ launchDigest: OTHER_HASH.slice(7) }), [
      "launch digest in audit chain EVIDENCE_LAUNCH_NOT_BOUND",
    ]);
    assert.deepEqual(await failed({ launch: { document: new Uint8Array(3), read } }), [
      "launch digest in audit chain EVIDENCE_LAUNCH_NOT_BOUND",
    ]);
  });

  test("is not accepted where nothing says what it was", async () => {
    for (const pinned of [{ launchDigest: SHA256 }, { launch: LAUNCH }])
      assert.deepEqual(await failed(pinned, {}), ["required: launch digest EVIDENCE_LAUNCH_NOT_BOUND"]);
    assert.deepEqual(
      await failed({ launchDigest: SHA384 }),
      ["required: launch digest EVIDENCE_LAUNCH_NOT_BOUND"],
      "entries name a SHA-256",
    );
  });

  test("pinned twice is one launch", async () => {
    for (const launchDigest of [SHA256, SHA384]) assert.deepEqual(await failed({ launch: LAUNCH, launchDigest }), []);
    assert.deepEqual(await failed({ launch: LAUNCH, launchDigest: OTHER_HASH.slice(7) }), [
      "launch digest of document EVIDENCE_LAUNCH_NOT_BOUND",
    ]);
  });
});

describe("an evidence file beside a software-only claim", () => {
  const beside = (file: unknown): Partial<ClaimRecord> => ({
    evidence: file instanceof Uint8Array ? file : new TextEncoder().encode(JSON.stringify(file)),
  });

  test("says what was launched, by its root entry or a document under a pinned digest", async () => {
    assert.deepEqual(await failed({ launchDigest: SHA256 }, beside(evidenceFile())), []);
    assert.deepEqual(await failed({ launchDigest: OTHER_HASH.slice(7) }, beside(evidenceFile())), [
      "launch digest in root entry EVIDENCE_LAUNCH_NOT_BOUND",
    ]);
    const whole = evidenceFile({ rootEntry: root, launchDocument: DOCUMENT });
    assert.deepEqual(await failed({ launchDigest: SHA384, readLaunch: read }, beside(whole)), []);
    assert.deepEqual(
      await failed(
        { launchDigest: SHA256, readLaunch: (document) => ({ ...read(document), catalogHash: OTHER_HASH }) },
        beside(whole),
      ),
      ["catalog of launch document CATALOG_HASH_MISMATCH"],
    );
    assert.deepEqual(await failed({ launchDigest: SHA256 }, beside(evidenceFile({}))), [
      "required: launch digest EVIDENCE_LAUNCH_NOT_BOUND",
    ]);
  });

  test("is read, and of this claim", async () => {
    for (const bytes of [new Uint8Array(), Uint8Array.of(0xff, 0xfe)])
      assert.deepEqual(await failed({}, beside(bytes)), ["evidence file EVIDENCE_MALFORMED"]);
    assert.deepEqual(await failed({}, beside(evidenceFile({}, "0".repeat(64)))), [
      "report data in evidence file EVIDENCE_REPORT_DATA_MISMATCH",
    ]);
    assert.deepEqual(await failed({}, beside(evidenceFile({ rootEntry: entries[1] }))), [
      "root entry in evidence CHAIN_ROOT_NOT_BOUND",
    ]);
    const quote = {
      format: "cmcp-evidence-v1",
      provider: "tdx",
      platform: "intel-tdx",
      report_data: Buffer.alloc(64).toString("base64"),
      generated_at: "2026-01-01T00:00:00Z",
      quote: "AAAA",
    };
    assert.deepEqual(await failed({}, beside(quote)), ["evidence platform CLAIM_INCONSISTENT"]);
  });
});

test("what only hardware evidence could meet is not accepted, each by its name", async () => {
  const file = new Uint8Array(1);
  const asked: Record<string, readonly [Partial<Expectations>, Partial<ClaimRecord>]> = {
    measurement: [{ measurements: ["aa".repeat(48)] }, {}],
    image: [{ image: () => ({ otherParts: [] }) }, {}],
    "appraisal policy": [{ evidenceRequired: true }, {}],
    certificates: [{}, { certificates: [file] }],
    collateral: [{}, { collateral: [file] }],
    "earlier evidence": [{}, { earlierEvidence: file }],
  };
  for (const [name, [expected, record]] of Object.entries(asked))
    assert.deepEqual(await failed(expected, record), [`required: ${name} EVIDENCE_MISSING`]);
});
