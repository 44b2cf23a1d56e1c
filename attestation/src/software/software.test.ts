import assert from "node:assert/strict";
import { test } from "node:test";
import { collectSoftware } from "./collect.ts";
import { verifySoftware, type SoftwareStatement } from "../../../packages/appraise/src/software/verify.ts";

const REPORT_DATA = Uint8Array.from({ length: 64 }, (_, index) => index);

test("a software report carries its report data, measures nothing and says that it is software", () => {
  const given = Uint8Array.from(REPORT_DATA);
  const evidence = collectSoftware(given, 1_785_000_000_000);
  given.fill(0);
  assert.deepEqual(evidence, {
    platform: "software-only",
    measurement: `sha256:${"0".repeat(64)}`,
    reportData: REPORT_DATA,
    firmware: "software-only",
    generatedAt: 1_785_000_000_000,
    parts: { provider: "software-only" },
  });
});

test("report data of another length is refused", () => {
  for (const length of [0, 32, 63, 65])
    assert.throws(() => collectSoftware(new Uint8Array(length), 0), { code: "INTERNAL" });
});

test("what was collected verifies, and its type says that it assures nothing", () => {
  const { measurement, firmware } = collectSoftware(REPORT_DATA, 0);
  const report = verifySoftware({ measurement, firmware, hasEvidence: false });
  assert.deepEqual(report, { platform: "software-only", assurance: "none", measurement });
});

test("a software statement that looks like more than it is is refused with its reason", () => {
  const good: SoftwareStatement = {
    measurement: `sha256:${"0".repeat(64)}`,
    firmware: "software-only",
    hasEvidence: false,
  };
  const refused: readonly (readonly [Partial<SoftwareStatement>, RegExp])[] = [
    [{ measurement: `sha256:${"1".repeat(64)}` }, /measurement/],
    [{ measurement: `sha384:${"0".repeat(96)}` }, /measurement/],
    [{ firmware: "AMD 1.55" }, /firmware/],
    [{ firmware: "software-only " }, /firmware/],
    [{ hasEvidence: true }, /evidence/],
  ];
  for (const [change, why] of refused) {
    const found = verifySoftware({ ...good, ...change });
    assert.match("why" in found ? found.why : "", why);
  }
});
