import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import { FakeKernel, type TsmDriver } from "../configfs-tsm/testing/kernel.ts";
import { certificateTable, GUID } from "../../../packages/appraise/src/sev-snp/testing/certificate-table.ts";
import { NO_SHARED_FOLDER, sharedFile } from "../../../packages/appraise/src/testing/shared.ts";
import { collectSevSnp, readLocalSnpReport, type SnpSource } from "./collect.ts";
import { sevSnpPolicySchema } from "../../../packages/appraise/src/sev-snp/policy.ts";
import { verifySevSnp } from "../../../packages/appraise/src/sev-snp/verify.ts";
import { AT, Machine, signedReport } from "../../../packages/appraise/src/sev-snp/testing/machine.ts";
import { NOW } from "../../../packages/appraise/src/testing/authority.ts";

// The kernel is played after its ABI text (configfs-tsm/testing/kernel.ts); report and certificate are genuine.

const REPORT_DATA = 0x50;
const HOST_DATA = 0xc0;
const UNAVAILABLE = { code: "ATTESTATION_REPORT_UNAVAILABLE" };

const genuine = (): { report: Uint8Array; vcek: Uint8Array } | null => {
  const report = sharedFile("evidence/amd/reports/milan-v3-vcek-19ade12877.report.bin");
  const vcek = sharedFile("evidence/amd/certs/sev-vcek-milan-b4165c7b5d.der");
  return report === null || vcek === null ? null : { report, vcek };
};

/** A kernel that has this report for everybody. */
const handingOut = (outblob: Uint8Array, auxblob: Uint8Array = new Uint8Array()): SnpSource => {
  const driver: TsmDriver = { provider: "sev_guest", privilegeFloor: 0, report: () => ({ outblob, auxblob }) };
  const files = new FakeKernel(driver);
  return { files, folder: files.folder };
};

test("what is collected is what the verifier accepts as authentic", async (t) => {
  const found = genuine();
  if (found === null) return t.skip(NO_SHARED_FOLDER);
  const { report, vcek } = found;
  const reportData = report.slice(REPORT_DATA, REPORT_DATA + 64);
  const evidence = await collectSevSnp(reportData, 5, handingOut(report, certificateTable([[GUID.vcek, vcek]])));
  assert.equal(evidence.platform, "amd-sev-snp");
  assert.equal(
    evidence.measurement,
    "sha384:5b0ce64ad1c1f6375dbda5f760b98526ca1bcf91b8195091afc28e7b024251d68fe32e05af34048d6607678cd23283ff",
  );
  assert.deepEqual(evidence.reportData, reportData);
  assert.equal(evidence.generatedAt, 5);
  assert.match(evidence.firmware, /^SEV-SNP firmware 1\.\d+\.\d+, TCB [0-9a-f]{16}$/);
  assert.deepEqual(evidence.parts, { provider: "sev-snp", report, certificates: [vcek] });
  const { parts } = evidence;
  assert.ok(parts.provider === "sev-snp");
  const result = await verifySevSnp(
    { ...parts, reportData, measurements: [evidence.measurement.slice(7)] },
    sevSnpPolicySchema.parse({}),
    new Date("2026-09-01T00:00:00Z"),
    webcrypto,
  );
  assert.ok(result.verified !== null);
  assert.deepEqual(
    result.checks.filter(({ name, status }) => status !== "passed" && /report data|measurement/.test(name)),
    [],
  );
});

test("what a cloud signs with its VLEK is collected with that key's chain, leaf first, and accepted", async () => {
  const machine = await Machine.make("Genoa");
  const vlek = await machine.key({ kind: "VLEK" });
  const report = await signedReport("Genoa", vlek, { fields: [[AT.keyInfo, 4]] });
  const reportData = report.slice(REPORT_DATA, REPORT_DATA + 64);
  const chain = [vlek.der, machine.signing.VLEK.der, machine.root.der] as const;
  const table = certificateTable([
    [GUID.ark, chain[2]],
    [GUID.ask, chain[1]],
    [GUID.vlek, chain[0]],
  ]);
  const { parts } = await collectSevSnp(reportData, 5, handingOut(report, table));
  assert.ok(parts.provider === "sev-snp");
  assert.deepEqual(parts.certificates, chain);
  const { verified } = await verifySevSnp({ ...parts, reportData }, machine.policy(), NOW, webcrypto);
  assert.ok(verified !== null);
});

test("a report longer than 1184 bytes is cut, and one for other report data refused", async (t) => {
  const found = genuine();
  if (found === null) return t.skip(NO_SHARED_FOLDER);
  const reportData = found.report.slice(REPORT_DATA, REPORT_DATA + 64);
  const { parts } = await collectSevSnp(reportData, 0, handingOut(Uint8Array.from([...found.report, 1, 2, 3])));
  assert.deepEqual(parts, { provider: "sev-snp", report: found.report, certificates: [] });
  await assert.rejects(collectSevSnp(reportData.with(63, 1), 0, handingOut(found.report)), {
    ...UNAVAILABLE,
    message: /other report data/,
  });
  await assert.rejects(collectSevSnp(reportData, 0, handingOut(found.report.slice(0, 1183))), UNAVAILABLE);
  await assert.rejects(collectSevSnp(reportData, 0, handingOut(found.report, new Uint8Array(23))), {
    ...UNAVAILABLE,
    message: /certificate table/,
  });
});

test("a local report is one made for nobody, with the launch carrier in it", async (t) => {
  const found = genuine();
  if (found === null) return t.skip(NO_SHARED_FOLDER);
  const report = found.report.slice();
  report.fill(0, REPORT_DATA, REPORT_DATA + 64);
  report.fill(0xab, HOST_DATA, HOST_DATA + 32);
  assert.equal(toHex((await readLocalSnpReport(handingOut(report))).hostData), "ab".repeat(32));
});
