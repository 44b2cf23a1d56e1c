import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_SHARED_FOLDER, sharedFile, sharedFolder } from "../testing/shared.ts";
import { describeSnpReport } from "./describe.ts";
import { parseSnpReport } from "./report.ts";
import { AT, chipId, reportBody, type ReportOptions } from "./testing/machine.ts";

const skip = sharedFolder() === null ? NO_SHARED_FOLDER : false;

function rows(name: string): Readonly<Record<string, string>> {
  const report = sharedFile(`evidence/amd/reports/${name}.report.bin`) ?? new Uint8Array();
  return Object.fromEntries(describeSnpReport(parseSnpReport(report)).map(({ label, value }) => [label, value]));
}

test("a Turin report is shown in its own TCB layout, with the names of its bits", { skip }, () => {
  const shown = rows("turin-v5-vcek-3f44a09b76");
  assert.equal(shown["processor"], "Turin, family 26, model 2, stepping 1");
  assert.equal(shown["reported TCB"], "fmc 0, bootloader 1, tee 0, snp 2, microcode 71 (0001000200000047)");
  assert.equal(shown["platform"], "0x67, smt, tsme, ecc, alias check, iommu write safe");
  assert.equal(shown["guest policy"], "0x30000: ABI 0.0, smt");
  assert.equal(shown["mitigations"], "0x0 at launch, 0x0 now");
  assert.equal(shown["signed by"], "VCEK");
});

test("a provider's report and an old one show what they lack", { skip }, () => {
  const vlek = rows("milan-v3-vlek-decdab949a");
  assert.deepEqual([vlek["chip"], vlek["signed by"], vlek["VMPL"], vlek["ID key"]], ["masked", "VLEK", "1", "none"]);
  const old = rows("milan-v2-vcek-377e6241d3");
  assert.deepEqual(
    [old["processor"], old["mitigations"], old["guest policy"]],
    ["not in this version", "not in this version", "0xb0000: ABI 0.0, smt, debug"],
  );
});

/** What a report of our own making shows. */
function made(options: ReportOptions, product: "Milan" | "Genoa" = "Genoa"): ReadonlyMap<string, string> {
  const report = new Uint8Array(0x4a0);
  report.set(reportBody(product, options));
  if (options.version === 5) report.fill(0x5a, 0x2a0, 0x2a0 + 145);
  return new Map(describeSnpReport(parseSnpReport(report)).map(({ label, value }) => [label, value]));
}

test("every field is shown as it stands in the report", () => {
  const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
  const tcb = "bootloader 10, tee 0, snp 23, microcode 84 (0a00000000001754)";
  const shown = made({
    version: 5,
    fields: [
      [AT.guestSvn, 7],
      [AT.policy, 0x8c0_0000_0033_0102n | (1n << 19n), 8],
      [AT.familyId, filled(16, 1)],
      [AT.imageId, filled(16, 2)],
      [AT.vmpl, 3],
      [AT.platform, 0x1ffn, 8],
      [AT.keyInfo, 0b0_0011],
      [AT.reportData, filled(64, 3)],
      [AT.hostData, filled(32, 4)],
      [AT.idKey, filled(48, 5)],
      [AT.authorKey, filled(48, 6)],
      [0x140, filled(32, 7)],
      [AT.reportIdMa, filled(32, 8)],
      [AT.currentVersion, Uint8Array.of(41, 56, 2)],
      [AT.launchMitigations, 0x12n, 8],
      [AT.currentMitigations, 0x34n, 8],
    ],
  });
  assert.deepEqual(
    [...shown],
    [
      ["version", "5"],
      ["processor", "Genoa, family 25, model 17, stepping 1"],
      ["chip", Buffer.from(chipId("Genoa")).toString("hex")],
      ["signed by", "VCEK, chip key masked"],
      ["VMPL", "3"],
      ["measurement", "aa".repeat(48)],
      ["report data", "03".repeat(64)],
      ["host data", "04".repeat(32)],
      [
        "guest policy",
        "0x8c00000003b0102: ABI 1.2, smt, debug, single socket, cxl, unknown bit 54, unknown bit 55, unknown bit 59",
      ],
      [
        "platform",
        "0x1ff, smt, tsme, ecc, rapl disabled, ciphertext hiding, alias check, iommu write safe, tio, unknown bit 8",
      ],
      ["reported TCB", tcb],
      ["committed TCB", `${tcb}, firmware 1.55.40`],
      ["current TCB", `${tcb}, firmware 2.56.41`],
      ["launch TCB", tcb],
      ["mitigations", "0x12 at launch, 0x34 now"],
      ["guest SVN", "7"],
      ["family", "01".repeat(16)],
      ["image", "02".repeat(16)],
      ["ID key", "05".repeat(48)],
      ["author key", "06".repeat(48)],
      ["report", "07".repeat(32)],
      ["migration agent", "08".repeat(32)],
      ["signature", "5a".repeat(144)],
    ],
  );
});

test("what a report does not have is said", () => {
  const shown = made(
    {
      version: 2,
      fields: [
        [AT.chipId, new Uint8Array(64)],
        [AT.vmpl, 0xffff_ffff],
        [AT.keyInfo, 0b1_1100],
        [AT.authorKey, new Uint8Array(48).fill(6)],
      ],
    },
    "Milan",
  );
  for (const [label, value] of [
    ["processor", "not in this version"],
    ["chip", "masked"],
    ["signed by", "none"],
    ["VMPL", "asked for by the host"],
    ["mitigations", "not in this version"],
    ["ID key", "none"],
    ["author key", `${"06".repeat(48)}, not in use`],
    ["migration agent", "none"],
    ["signature", "none"],
    ["reported TCB", "bootloader 4, tee 0, snp 24, microcode 219 (04000000000018db)"],
  ] as const)
    assert.equal(shown.get(label), value, label);
  assert.equal(made({ fields: [[AT.authorKey, new Uint8Array(48)]] }).get("author key"), "none");
  assert.equal(
    made({ fields: [[AT.cpuid, Uint8Array.of(0x1b, 2, 3)]] }).get("processor"),
    "not known, family 27, model 2, stepping 3",
  );
});
