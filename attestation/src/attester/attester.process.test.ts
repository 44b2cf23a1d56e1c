import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { attesterOf, tpmOf, tpmSourceOf, type AttesterAccess } from "./attester.ts";
import { FakeKernel } from "../configfs-tsm/testing/kernel.ts";
import { NO_SHARED_FOLDER, sharedFile } from "../../../packages/appraise/src/testing/shared.ts";
import { NO_SWTPM, Swtpm } from "../tpm/transport/testing/swtpm.ts";

const REPORT_DATA = new Uint8Array(64).fill(3);
const document = Buffer.from("launch document");
const DIGESTS = {
  sha256: new Uint8Array(createHash("sha256").update(document).digest()),
  sha384: new Uint8Array(createHash("sha384").update(document).digest()),
};
const OTHER = { sha256: new Uint8Array(32).fill(1), sha384: new Uint8Array(48).fill(1) };
const MISMATCH = { code: "LAUNCH_DIGEST_MISMATCH" };

const access = (change: Partial<AttesterAccess> = {}): AttesterAccess => ({
  tpm: null,
  derivedKey: null,
  tdReport: () => Promise.reject(new Error("no local report")),
  dialMetadata: () => Promise.reject(new Error("no metadata service")),
  ...change,
});

test("software carries no launch and says so", async () => {
  const attester = attesterOf("software-only", access());
  assert.deepEqual(await attester.bindLaunch(DIGESTS), {
    carrier: "none",
    platform: "software-only",
    measurement: `sha256:${"0".repeat(64)}`,
  });
  assert.equal((await attester.collect(REPORT_DATA, 1)).platform, "software-only");
  assert.equal((await attester.sealing()).kind, "none");
});

test("SEV-SNP was launched for the document whose SHA-256 is in HOST_DATA and for no other", async (t) => {
  const genuine = sharedFile("evidence/amd/reports/milan-v3-vcek-19ade12877.report.bin");
  if (genuine === null) return t.skip(NO_SHARED_FOLDER);
  const files = new FakeKernel({
    provider: "sev_guest",
    privilegeFloor: 0,
    report(inblob) {
      const report = genuine.slice();
      report.set(inblob, 0x50);
      report.set(DIGESTS.sha256, 0xc0);
      return { outblob: report };
    },
  });
  const attester = attesterOf("sev-snp", access({ tsm: { files, folder: files.folder } }));
  assert.deepEqual(await attester.bindLaunch(DIGESTS), {
    carrier: "HOST_DATA",
    platform: "amd-sev-snp",
    measurement: `sha384:${Buffer.from(genuine.subarray(0x90, 0xc0)).toString("hex")}`,
  });
  await assert.rejects(attester.bindLaunch(OTHER), MISMATCH);
  const evidence = await attester.collect(REPORT_DATA, 1);
  assert.equal(evidence.platform, "amd-sev-snp");
  assert.deepEqual(evidence.reportData, REPORT_DATA);
});

test("TDX was launched for the document whose SHA-384 is in MRCONFIGID and for no other", async () => {
  const report = new Uint8Array(1024);
  report.fill(0xcd, 528, 576);
  report.set(DIGESTS.sha384, 576);
  const attester = attesterOf("tdx", access({ tdReport: () => Promise.resolve(report) }));
  assert.deepEqual(await attester.bindLaunch(DIGESTS), {
    carrier: "MRCONFIGID",
    platform: "intel-tdx",
    measurement: `sha384:${"cd".repeat(48)}`,
  });
  await assert.rejects(attester.bindLaunch(OTHER), MISMATCH);
  await assert.rejects(attesterOf("tdx", access()).collect(REPORT_DATA, 1), { code: "ATTESTATION_REPORT_UNAVAILABLE" });
});

test("a TPM is told the launch, once, and a machine without one has neither", async (t) => {
  for (const provider of ["tpm", "azure-cvm"] as const)
    await assert.rejects(attesterOf(provider, access()).bindLaunch(DIGESTS), {
      code: "ATTESTATION_REPORT_UNAVAILABLE",
    });
  const swtpm = await Swtpm.start();
  if (swtpm === null) return t.skip(NO_SWTPM);
  t.after(async () => await swtpm.stop());
  const attester = attesterOf("tpm", access({ tpm: { kind: "socket", path: swtpm.socket } }));
  const image = {
    carrier: "PCR 15",
    platform: "tpm2",
    measurement: `sha256:${createHash("sha256")
      .update(new Uint8Array(32 * 15))
      .digest("hex")}`,
  };
  assert.deepEqual(await attester.bindLaunch(DIGESTS), image);
  assert.deepEqual(await attester.bindLaunch(DIGESTS), image, "the launch is not part of what was started");
  await assert.rejects(attester.bindLaunch(OTHER), MISMATCH);
  assert.equal((await attester.collect(REPORT_DATA, 1)).platform, "tpm2");
  await assert.rejects(
    attesterOf("azure-cvm", access({ tpm: { kind: "socket", path: swtpm.socket } })).collect(REPORT_DATA, 1),
    { code: "ATTESTATION_REPORT_UNAVAILABLE" },
  );
  await assert.rejects(
    attesterOf("tpm", access({ tpm: { kind: "device", path: "/dev/no-tpm" } })).collect(REPORT_DATA, 1),
    { code: "ATTESTATION_REPORT_UNAVAILABLE" },
  );
});

test("a secret is kept with the key of the chip that this machine's report names", async (t) => {
  const genuine = sharedFile("evidence/amd/reports/milan-v3-vcek-19ade12877.report.bin");
  if (genuine === null) return t.skip(NO_SHARED_FOLDER);
  const files = new FakeKernel({
    provider: "sev_guest",
    privilegeFloor: 0,
    report(inblob) {
      const report = genuine.slice();
      report.set(inblob, 0x50);
      report.set([0x19, 0x11, 1], 0x188);
      return { outblob: report };
    },
  });
  const attester = attesterOf(
    "sev-snp",
    access({ tsm: { files, folder: files.folder }, derivedKey: () => Promise.resolve(new Uint8Array(32).fill(1)) }),
  );
  assert.equal((await attester.sealing()).kind, "sev-snp-derived-key");
});

test("the machine's event log goes with the machine's TPM, and with no other", async () => {
  const path = "/dev/tpmrm0";
  assert.equal(
    tpmSourceOf({ tpm: { kind: "device", path } }).eventLogPath,
    "/sys/kernel/security/tpm0/binary_bios_measurements",
  );
  assert.equal(tpmSourceOf({ tpm: { kind: "socket", path } }).eventLogPath, null);
  assert.equal(tpmSourceOf({ tpm: null }).eventLogPath, null);
  await assert.rejects(tpmOf({ tpm: null })(), { code: "ATTESTATION_REPORT_UNAVAILABLE", message: /no TPM/ });
  for (const kind of ["device", "socket"] as const)
    await assert.rejects(tpmOf({ tpm: { kind, path: "/nowhere/tpm" } })(), {
      code: "ATTESTATION_REPORT_UNAVAILABLE",
      message: new RegExp(kind),
    });
});
