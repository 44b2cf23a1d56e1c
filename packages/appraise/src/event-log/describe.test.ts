import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { NO_SHARED_FOLDER } from "../testing/shared.ts";
import { describeEventLog } from "./describe.ts";
import { parseEventLog } from "./parse.ts";
import { buildLog } from "./testing/build-log.ts";
import { genuineLog } from "./testing/genuine.ts";

test("a genuine log reads as its events", (t) => {
  const bytes = genuineLog({ path: "rhel8-uefi.bin" });
  if (bytes === null) return t.skip(NO_SHARED_FOLDER);
  const rows = describeEventLog(parseEventLog(bytes), "pcr");
  assert.equal(rows[0]?.value, "82 events, digests sha1, sha256, sha384");
  const value = (label: RegExp): string | undefined => rows.find((row) => label.test(row.label))?.value;
  assert.equal(value(/PCR 7 EV_EFI_VARIABLE_DRIVER_CONFIG/), "SecureBoot = 01 of 8be4df61-93ca-11d2-aa0d-00e098032b8c");
  assert.equal(value(/PCR 4 EV_EFI_ACTION/), "Calling EFI Application from Boot Option");
  assert.equal(value(/PCR 0 EV_SEPARATOR/), "00000000");
  assert.ok(rows.some((row) => /PCR 8 EV_IPL/.test(row.label) && row.value.startsWith("grub_cmd ")));
});

test("registers of a confidential VM have their own names", () => {
  const log = parseEventLog(
    buildLog([
      { register: 0, type: 3, data: "a" },
      { register: 1, type: 0xa, data: "ACPI DATA\0" },
    ]),
  );
  assert.deepEqual(describeEventLog(log, "cc").slice(1), [
    { label: "0 MRTD EV_NO_ACTION", value: "a" },
    { label: "1 RTMR0 EV_PLATFORM_CONFIG_FLAGS", value: "ACPI DATA" },
  ]);
});

test("whatever is in a log, its description is short printable text", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      fc.constantFrom(1, 4, 0x80000001, 0x80000002, 0x12345678),
      (data, type) => {
        for (const { value } of describeEventLog(parseEventLog(buildLog([{ register: 1, type, data }])), "pcr")) {
          assert.match(value, /^[\x20-\x7e…]*$/);
          assert.ok(value.length < 400);
        }
      },
    ),
  );
});
