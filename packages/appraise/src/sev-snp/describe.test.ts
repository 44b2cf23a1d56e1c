import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_SHARED_FOLDER, sharedFile, sharedFolder } from "../testing/shared.ts";
import { describeSnpReport } from "./describe.ts";
import { parseSnpReport } from "./report.ts";

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
