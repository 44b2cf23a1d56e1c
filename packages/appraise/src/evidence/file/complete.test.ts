import assert from "node:assert/strict";
import { test } from "node:test";
import type { EvidenceParts } from "../evidence.ts";
import { issue } from "../../testing/authority.ts";
import { completeEvidence } from "./complete.ts";
import type { EvidenceJson } from "./schema.ts";
import { toBase64, writeEvidenceFile } from "./write.ts";

const file = (parts: EvidenceParts, collateral: readonly Uint8Array[] = []): EvidenceJson =>
  writeEvidenceFile(
    {
      platform: "amd-sev-snp",
      measurement: "",
      reportData: new Uint8Array(64),
      firmware: "",
      generatedAt: 0,
      parts,
    },
    { collateral },
  );
const snp = (certificates: readonly Uint8Array[]): EvidenceJson =>
  file({ provider: "sev-snp", report: new Uint8Array(1184), certificates }, [Uint8Array.of(1)]);
const pem = (der: Uint8Array): Uint8Array =>
  Buffer.from(`-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`);
const certificatesOf = (json: EvidenceJson): readonly string[] =>
  "certificates" in json ? json.certificates : assert.fail("no certificates");

const key = await issue({ subject: "CN=key" });
const renewed = await issue({ subject: "CN=key", serial: "02", keys: key.keys });
const authority = await issue({ subject: "CN=authority" });

test("what a vendor answered replaces collateral, and certificates of the same key", () => {
  const completed = completeEvidence(snp([key.der, authority.der]), {
    certificates: [pem(renewed.der)],
    collateral: [Uint8Array.of(2), Uint8Array.of(3)],
  });
  assert.deepEqual(certificatesOf(completed), [renewed.der, authority.der].map(toBase64));
  assert.deepEqual(completed.collateral, [Uint8Array.of(2), Uint8Array.of(3)].map(toBase64));
  assert.deepEqual(
    completeEvidence(completed, { certificates: [renewed.der], collateral: [Uint8Array.of(2), Uint8Array.of(3)] }),
    completed,
    "again it changes nothing",
  );
});

test("without answered certificates those of the file stay as they are, readable or not", () => {
  const present = [Uint8Array.of(7), authority.der];
  const completed = completeEvidence(snp(present), { certificates: [], collateral: [] });
  assert.deepEqual(certificatesOf(completed), present.map(toBase64));
  assert.deepEqual(completed.collateral, []);
  const td = file({ provider: "tdx", quote: new Uint8Array(5), eventLog: null });
  assert.ok(!("certificates" in completeEvidence(td, { certificates: [key.der], collateral: [] })));
});

test("answers that cannot be read, and more than a file has room for, are refused", () => {
  const malformed = { code: "EVIDENCE_MALFORMED" };
  assert.throws(() => completeEvidence(snp([]), { certificates: [Uint8Array.of(1)], collateral: [] }), malformed);
  const most = Array.from({ length: 16 }, () => Uint8Array.of(1));
  assert.equal(completeEvidence(snp([]), { certificates: [], collateral: most }).collateral?.length, 16);
  assert.throws(() => completeEvidence(snp([]), { certificates: [], collateral: [...most, Uint8Array.of(1)] }), {
    ...malformed,
    message: /answers do not fit/,
  });
});
