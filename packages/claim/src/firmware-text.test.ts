import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { firmwareText, parseFirmwareText } from "./firmware-text.ts";

const surroundings = fc.record({
  isolation: fc.constantFrom("none" as const, "network-namespace" as const),
  channel: fc.constantFrom("plain" as const, "sealed" as const),
});

test("isolation and channel read back from the firmware text, whatever the platform calls its firmware", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ minLength: 1, maxLength: 512 }),
        fc.constantFrom("a; isolation=none; channel=sealed", ";;", "\n"),
      ),
      surroundings,
      (firmware, run) => {
        assert.deepEqual(parseFirmwareText(firmwareText(firmware, run)), {
          firmware: firmware.replaceAll(";", ","),
          ...run,
        });
      },
    ),
  );
});

test("any other text is not one of this gateway's", () => {
  const good = "software-only; isolation=none; channel=plain";
  assert.ok(parseFirmwareText(good) !== undefined);
  const others = [
    "",
    "software-only",
    "; isolation=none; channel=plain",
    `${good} `,
    `x;${good}`,
    `${"x".repeat(513)}; isolation=none; channel=plain`,
    good.replace("none", "full"),
    good.replace("plain", "open"),
    `${good}; channel=sealed`,
  ];
  for (const text of others) assert.equal(parseFirmwareText(text), undefined, text);
});
