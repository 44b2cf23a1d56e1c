import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { NO_SHARED_FOLDER, sharedFile } from "../testing/shared.ts";
import { bootEvents, type BootEvents } from "./boot-events.ts";
import { parseEventLog } from "./parse.ts";
import { buildLog, EXIT_BOOT_SERVICES, SEPARATORS, type SampleEvent } from "./testing/build-log.ts";
import { GENUINE_LOGS, genuineLog } from "./testing/genuine.ts";

const ZEROS = new Uint8Array(4);

async function examine(events: readonly SampleEvent[]): Promise<BootEvents> {
  return bootEvents(webcrypto, parseEventLog(buildLog(events)), "sha256", "pcr");
}

function secureBoot(value: Uint8Array, measured?: Uint8Array): SampleEvent {
  const name = Buffer.from("SecureBoot", "utf16le");
  const header = Buffer.from("61dfe48bca93d211aa0d00e098032b8c0a000000000000000000000000000000", "hex");
  header.writeUInt32LE(value.length, 24);
  return {
    register: 7,
    type: 0x80000001,
    data: Buffer.concat([header, name, value]),
    ...(measured === undefined ? {} : { measured }),
  };
}

test("genuine logs have one separator in each of PCR 0 to 7", async (t) => {
  for (const genuine of GENUINE_LOGS) {
    const bytes = genuineLog(genuine);
    if (bytes === null) return t.skip(NO_SHARED_FOLDER);
    const { separators } = await bootEvents(webcrypto, parseEventLog(bytes), "sha256", "pcr");
    // That laptop measures an empty Boot Guard record, whose digest is the separator's; by digests alone the two cannot be told apart.
    const expected = [0, 1, 2, 3, 4, 5, 6, 7].map((register) => ({
      register,
      state: register === 0 && genuine.path === "glinux-alex.bin" ? "repeated" : "once",
    }));
    assert.deepEqual(separators, expected, genuine.path);
  }
});

test("genuine logs say how boot services ended and whether secure boot was on", async (t) => {
  const facts = new Map<string, string>();
  for (const genuine of GENUINE_LOGS) {
    const bytes = genuineLog(genuine);
    if (bytes === null) return t.skip(NO_SHARED_FOLDER);
    const { exitBootServices, secureBoot } = await bootEvents(webcrypto, parseEventLog(bytes), "sha256", "pcr");
    facts.set(genuine.path, `${exitBootServices} ${secureBoot}`);
  }
  assert.equal(facts.get("ubuntu-2104-no-secure-boot.bin"), "returned disabled");
  assert.equal(facts.get("rhel8-uefi.bin"), "returned enabled");
  assert.equal(facts.get("ubuntu-2404-amd-sevsnp.bin"), "returned disabled");
  assert.equal(facts.get("arch-linux-workstation.bin"), "absent disabled");
});

test("firmware that measures both separators into RTMR0 is told from firmware that does not", async (t) => {
  const good = sharedFile("evidence/intel/eventlogs/gcp-cos113-ccel.bin");
  // OVMF before edk2-stable202411, genuine: edk2 commit efaf8931bb mended it.
  const defective = ["BAD-dupe-separator.bin", "trustee-CCEL_data_ovmf.bin"]
    .map((name) => sharedFile(`evidence/intel/eventlogs/${name}`))
    .filter((log) => log !== null);
  if (good === null || defective.length < 2) return t.skip(NO_SHARED_FOLDER);
  const once = await bootEvents(webcrypto, parseEventLog(good), "sha384", "cc");
  assert.deepEqual(once, {
    separators: [
      { register: 1, state: "once" },
      { register: 2, state: "once" },
    ],
    exitBootServices: "returned",
    secureBoot: "disabled",
  });
  for (const log of defective) {
    const { separators } = await bootEvents(webcrypto, parseEventLog(log), "sha384", "cc");
    assert.deepEqual(separators, [
      { register: 1, state: "repeated" },
      { register: 2, state: "absent" },
    ]);
  }
});

test("a separator counts by its digest, whatever the log calls it", async () => {
  const [first = { register: 0, type: 4, data: ZEROS }] = SEPARATORS;
  const stateOf = async (...events: readonly SampleEvent[]): Promise<string | undefined> =>
    (await examine(events)).separators[0]?.state;
  assert.equal(await stateOf(first), "once");
  assert.equal(await stateOf({ ...first, data: new Uint8Array(4).fill(0xff) }), "once");
  assert.equal(await stateOf(), "absent");
  assert.equal(await stateOf(first, first), "repeated");
  assert.equal(await stateOf(first, { ...first, type: 1 }), "repeated");
  assert.equal(await stateOf(first, { ...first, measured: Buffer.from("other") }), "repeated");
  assert.equal(await stateOf({ ...first, type: 1 }), "disguised");
  assert.equal(await stateOf({ ...first, data: Buffer.from("text"), measured: ZEROS }), "disguised");
  assert.equal(await stateOf({ ...first, measured: Buffer.from("other") }), "disguised");
  assert.equal(await stateOf({ ...first, data: Buffer.of(1, 0, 0, 0) }), "error-value");
});

test("boot services have ended only when the success follows the call", async () => {
  const [invoked, returned] = EXIT_BOOT_SERVICES;
  assert.ok(invoked !== undefined && returned !== undefined);
  assert.equal((await examine([])).exitBootServices, "absent");
  assert.equal((await examine([returned])).exitBootServices, "absent");
  assert.equal((await examine([invoked])).exitBootServices, "invoked");
  assert.equal((await examine([returned, invoked])).exitBootServices, "invoked");
  assert.equal((await examine([invoked, returned])).exitBootServices, "returned");
  assert.equal(
    (
      await examine([
        { ...invoked, register: 4 },
        { ...returned, register: 4 },
      ])
    ).exitBootServices,
    "absent",
  );
  assert.equal((await examine([{ ...invoked, measured: Buffer.from("other") }])).exitBootServices, "absent");
});

test("secure boot is known only from one measured variable before the separator", async () => {
  const on = secureBoot(Uint8Array.of(1));
  const separator = { register: 7, type: 4, data: ZEROS };
  const state = async (...events: readonly SampleEvent[]): Promise<string> => (await examine(events)).secureBoot;
  assert.equal(await state(on, separator), "enabled");
  assert.equal(await state(secureBoot(Uint8Array.of(0)), separator), "disabled");
  assert.equal(await state(secureBoot(new Uint8Array()), separator), "disabled");
  assert.equal(await state(secureBoot(Uint8Array.of(2)), separator), "unknown");
  assert.equal(await state(separator), "unknown");
  assert.equal(await state(on, on, separator), "unknown");
  assert.equal(await state(separator, on), "unknown");
  assert.equal(await state(secureBoot(Uint8Array.of(1), Buffer.from("other")), separator), "unknown");
  assert.equal(await state({ ...on, register: 1 }, separator), "unknown");
  assert.equal(await state({ ...on, data: Buffer.from("short") }, separator), "unknown");
});
