import assert from "node:assert/strict";
import { test } from "node:test";
import { eventTypeName } from "./event-type.ts";

/** Names in the order of their numbers, from a first one on; `null` where the specification has none. */
const TABLE: readonly (readonly [first: number, names: readonly (string | null)[]])[] = [
  [
    0,
    [
      "EV_PREBOOT_CERT",
      "EV_POST_CODE",
      null,
      "EV_NO_ACTION",
      "EV_SEPARATOR",
      "EV_ACTION",
      "EV_EVENT_TAG",
      "EV_S_CRTM_CONTENTS",
      "EV_S_CRTM_VERSION",
      "EV_CPU_MICROCODE",
      "EV_PLATFORM_CONFIG_FLAGS",
      "EV_TABLE_OF_DEVICES",
      "EV_COMPACT_HASH",
      "EV_IPL",
      "EV_IPL_PARTITION_DATA",
      "EV_NONHOST_CODE",
      "EV_NONHOST_CONFIG",
      "EV_NONHOST_INFO",
      "EV_OMIT_BOOT_DEVICE_EVENTS",
      "EV_POST_CODE2",
      null,
    ],
  ],
  [
    0x8000_0000,
    [
      null,
      "EV_EFI_VARIABLE_DRIVER_CONFIG",
      "EV_EFI_VARIABLE_BOOT",
      "EV_EFI_BOOT_SERVICES_APPLICATION",
      "EV_EFI_BOOT_SERVICES_DRIVER",
      "EV_EFI_RUNTIME_SERVICES_DRIVER",
      "EV_EFI_GPT_EVENT",
      "EV_EFI_ACTION",
      "EV_EFI_PLATFORM_FIRMWARE_BLOB",
      "EV_EFI_HANDOFF_TABLES",
      "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
      "EV_EFI_HANDOFF_TABLES2",
      "EV_EFI_VARIABLE_BOOT2",
      "EV_EFI_GPT_EVENT2",
      null,
      null,
      "EV_EFI_HCRTM_EVENT",
      null,
    ],
  ],
  [0x8000_00df, [null, "EV_EFI_VARIABLE_AUTHORITY", "EV_EFI_SPDM_FIRMWARE_BLOB", "EV_EFI_SPDM_FIRMWARE_CONFIG", null]],
];

test("an event type has the specification's name, and another one its number in eight digits", () => {
  for (const [first, names] of TABLE)
    for (const [index, name] of names.entries()) {
      const type = first + index;
      assert.equal(eventTypeName(type), name ?? `0x${type.toString(16).padStart(8, "0")}`);
    }
});
