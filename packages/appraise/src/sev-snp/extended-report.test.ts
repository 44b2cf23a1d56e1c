import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { certificateTable, GUID } from "./testing/certificate-table.ts";
import { splitExtendedReport } from "./extended-report.ts";
import { REPORT_BYTES } from "./report.ts";

const REPORT = new Uint8Array(REPORT_BYTES).fill(7);
const behind = (more: Uint8Array): Uint8Array => Uint8Array.from([...REPORT, ...more]);

test("a certificate table behind a report is taken for one", () => {
  const table = certificateTable([[GUID.vcek, Uint8Array.of(1, 2)]]);
  assert.deepEqual(splitExtendedReport(behind(table)), { report: REPORT, certificates: [table] });
});

test("a table without an entry is taken for one of no certificates", () => {
  for (const table of [certificateTable([]), new Uint8Array(24), new Uint8Array(4096)])
    assert.deepEqual(splitExtendedReport(behind(table)), { report: REPORT, certificates: [] });
});

test("anything else behind a report leaves it whole, and so too long", () => {
  const nothing = [
    new Uint8Array(),
    new Uint8Array(1),
    new Uint8Array(23),
    new Uint8Array(24).with(23, 1),
    new Uint8Array(2912).with(2911, 1),
    certificateTable([[GUID.vcek, Uint8Array.of(1)]]).subarray(0, -1),
  ];
  for (const more of nothing)
    assert.deepEqual(splitExtendedReport(behind(more)), { report: behind(more), certificates: [] });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) =>
      assert.deepEqual(splitExtendedReport(bytes), { report: bytes, certificates: [] }),
    ),
  );
});
