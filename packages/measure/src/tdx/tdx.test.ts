import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { z } from "zod";
import { toHex } from "@cmcp/boundary";
import { NO_SHARED_FOLDER, sharedFile } from "../../../appraise/src/testing/shared.ts";
import { digestPair, rtmrValue, type BootEvent } from "../boot/event.ts";
import { CALLING_BOOT_OPTION, EXITS, PCR, SEPARATOR } from "../boot/firmware-events.ts";
import { kernelProgram, kernelVariants } from "../boot/variants.ts";
import { extendAll } from "../bytes/digest.ts";
import { predictedValues } from "../prediction.ts";
import { downloaded, NO_DOWNLOADS } from "../testing/downloads.ts";
import { buildFirmware, emptyVariableStore, TDVF_SECTIONS, TDX_FIRMWARE, type TdvfRow } from "../testing/firmware.ts";
import { hex, TDX_GOLDEN } from "../testing/vectors.ts";
import { emptySecureBootDigests, uiAppBootDigests } from "./efi-variables.ts";
import { mrtd } from "./mrtd.ts";
import { predictTdx } from "./predict.ts";
import { rtmr0 } from "./rtmr0.ts";
import { tdHobDigest } from "./td-hob.ts";
import { variableStore } from "./variable-store.ts";

const GIB = 2 ** 30;
const INVALID = { code: "MEASURE_INPUT_INVALID" };
const sha384 = (...parts: Uint8Array[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha384")).digest();
const memoryOf = (text: string): number => Number.parseFloat(text) * GIB;

for (const [name, golden] of Object.entries(TDX_GOLDEN?.firmware ?? {})) {
  test(`golden MRTD in both orders and variable store of ${name}`, (t) => {
    const firmware = downloaded(name, golden.sha256);
    if (firmware === null) return t.skip(NO_DOWNLOADS);
    assert.deepEqual(
      [mrtd(firmware, "single-pass"), mrtd(firmware, "two-pass")],
      [golden.mrtd_single_pass, golden.mrtd_two_pass],
    );
    const store = variableStore(firmware);
    assert.deepEqual([toHex(store.digest), store.empty], [golden.cfv_sha384, !name.includes(".ms.")]);
  });

  test(`golden hand-off blocks for each memory size with the sections of ${name}`, () => {
    const types = ["BFV", "CFV", "TD_HOB", "TempMem"];
    const tdvf = golden.sections.map(
      ({ gpa, mem_size, type }): TdvfRow => ({ gpa: Number(gpa), memory: Number(mem_size), type: types.indexOf(type) }),
    );
    for (const [memory, digest] of Object.entries(golden.td_hob_sha384))
      assert.equal(toHex(tdHobDigest(buildFirmware({ tdvf }), memoryOf(memory))), digest, memory);
  });
}

test("the golden vectors are there to be compared with", (t) => {
  if (TDX_GOLDEN === null) return t.skip(NO_SHARED_FOLDER);
  assert.equal(Object.keys(TDX_GOLDEN.firmware).length, 3);
});

test("MRTD holds the records in their order, and zeros beyond a section's data", () => {
  const firmware = buildFirmware({
    tdvf: [
      { offset: 0x1000, size: 0x80, gpa: 0x1000, memory: 0x2000, type: 0, attributes: 1 },
      { gpa: 0x8000, memory: 0x1000, type: 3 },
      { gpa: 0, memory: 0, type: 3 },
      { gpa: 0x10_0000, memory: 0x1000, type: 4, attributes: 2 },
    ],
  });
  const record = (name: string, gpa: number): Buffer => {
    const bytes = Buffer.alloc(128);
    bytes.write(name, "latin1");
    bytes.writeBigUInt64LE(BigInt(gpa), 16);
    return bytes;
  };
  const content = Buffer.concat([firmware.subarray(0x1000, 0x1080), Buffer.alloc(0x2000 - 0x80)]);
  const add = (gpa: number) => record("MEM.PAGE.ADD", gpa);
  const extend = (gpa: number) =>
    Buffer.concat(
      Array.from({ length: 16 }, (_, chunk) =>
        Buffer.concat([
          record("MR.EXTEND", gpa + chunk * 256),
          content.subarray(gpa - 0x1000 + chunk * 256, gpa - 0x1000 + (chunk + 1) * 256),
        ]),
      ),
    );
  assert.equal(
    mrtd(firmware, "single-pass"),
    sha384(add(0x1000), extend(0x1000), add(0x2000), extend(0x2000), add(0x8000)).toString("hex"),
  );
  assert.equal(
    mrtd(firmware, "two-pass"),
    sha384(add(0x1000), add(0x2000), extend(0x1000), extend(0x2000), add(0x8000)).toString("hex"),
  );
});

const event = z.object({ imr: z.number(), digest: z.string() });
const quoted = z.object({ quote: z.string(), event_log: z.string(), vm_config: z.string() });

/** A genuine quote with its log, and what it says of registers: MRTD and RTMR0 to 2. */
function genuine(name: string) {
  const bytes = sharedFile(`evidence/intel/eventlogs/${name}`);
  if (bytes === null) return null;
  const { quote, event_log, vm_config } = quoted.parse(JSON.parse(Buffer.from(bytes).toString()));
  const body = hex(quote).subarray(48);
  const register = (index: number): string => body.subarray(328 + index * 48, 376 + index * 48).toString("hex");
  const log = z.array(event).parse(JSON.parse(event_log));
  const digests = (imr: number): Buffer[] => log.filter((entry) => entry.imr === imr).map(({ digest }) => hex(digest));
  const { memory_size: memory } = z.object({ memory_size: z.number() }).parse(JSON.parse(vm_config));
  return { mrtd: body.subarray(136, 184).toString("hex"), register, digests, memory };
}

for (const name of ["dstack-tdx-lite-getquote.json", "dstack-quote-report.json"]) {
  test(`RTMR0 of the genuine quote in ${name} follows from memory, variable store and ACPI tables`, (t) => {
    const seen = genuine(name);
    if (seen === null || TDX_GOLDEN === null) return t.skip(NO_SHARED_FOLDER);
    const [, , , , , , , , loader, rsdp, tables] = seen.digests(0);
    assert.ok(loader !== undefined && rsdp !== undefined && tables !== undefined);
    // The firmware's temporary memory is that of edk2, as the quote's own configuration lists it.
    const tdHob = tdHobDigest(buildFirmware({ tdvf: TDVF_SECTIONS }), seen.memory);
    const store = hex(TDX_GOLDEN.firmware["OVMF.trixie.fd"]?.cfv_sha384 ?? "");
    assert.equal(rtmr0({ tdHob, variableStore: store, acpi: { loader, rsdp, tables } }), seen.register(0));
  });

  test(`RTMR1 and RTMR2 of the genuine quote in ${name} follow from kernel, command line and initrd`, (t) => {
    const seen = genuine(name);
    if (seen === null) return t.skip(NO_SHARED_FOLDER);
    const [kernel] = seen.digests(1);
    const [options, initrd] = seen.digests(2);
    assert.ok(kernel !== undefined && options !== undefined && initrd !== undefined);
    const known = (pcr: number, digest: Buffer): BootEvent => ({
      pcr,
      digest: { sha256: new Uint8Array(32), sha384: digest },
    });
    const events = [
      known(PCR.bootPrograms, kernel),
      CALLING_BOOT_OPTION,
      SEPARATOR,
      known(PCR.kernelStub, options),
      known(PCR.kernelStub, initrd),
      ...EXITS[0].events,
    ];
    assert.deepEqual([rtmrValue(events, 1), rtmrValue(events, 2)], [seen.register(1), seen.register(2)]);
  });
}

test("a register that was not predicted has no values to take", () => {
  assert.throws(() => predictedValues(predictTdx(buildFirmware(TDX_FIRMWARE), undefined, {}), "rtmr1"), {
    code: "INTERNAL",
    message: /rtmr1 was not predicted/,
  });
});

test("the digests that every machine measures are the known ones", (t) => {
  if (TDX_GOLDEN === null) return t.skip(NO_SHARED_FOLDER);
  const golden = TDX_GOLDEN.event_digests;
  const names = ["SecureBoot", "PK", "KEK", "db", "dbx"];
  assert.deepEqual(
    emptySecureBootDigests().map(toHex),
    names.map((name) => golden[`var:${name}(empty)`]),
  );
  assert.deepEqual(uiAppBootDigests().map(toHex), [golden["BootOrder0000"], golden["Boot0000 UiApp(pre-202505)"]]);
  const [invocation, success] = EXITS[0].events;
  assert.deepEqual(
    [SEPARATOR, CALLING_BOOT_OPTION, invocation, success].map(({ digest }) => toHex(digest.sha384)),
    [golden["sep4"], golden["CallingEFIApp"], golden["EBS_inv"], golden["EBS_ok"]],
  );
});

/** The initrd of the golden vectors is not at hand; its size and SHA-384 are. */
const GOLDEN_INITRD_BYTES = 113;
const COMMAND_LINE = `console=ttyS0 root=/dev/dm-0 ro roothash=${"0".repeat(64)}`;

test("golden RTMR1 and RTMR2 for each memory size and place of the initrd's argument", (t) => {
  const kernel = TDX_GOLDEN === null ? null : downloaded("vmlinuz-6.12.95+deb12-cloud-amd64", TDX_GOLDEN.kernel.sha256);
  if (TDX_GOLDEN === null) return t.skip(NO_SHARED_FOLDER);
  if (kernel === null) return t.skip(NO_DOWNLOADS);
  const { rtmr1, rtmr2 } = TDX_GOLDEN;
  const initrd = { bytes: GOLDEN_INITRD_BYTES, digest: { ...digestPair(), sha384: hex(rtmr2["initrd_sha384"] ?? "") } };
  const predicted = (memory: number | undefined) =>
    predictTdx(
      buildFirmware(TDX_FIRMWARE),
      kernelVariants({ kernel: kernelProgram(kernel), initrd, commandLine: COMMAND_LINE }, memory),
      {},
    );
  const values = (register: string, memory?: number) =>
    predicted(memory)
      .registers.find((one) => one.register === register)
      ?.values.map(({ value }) => value) ?? [];
  assert.equal(values("rtmr1")[0], rtmr1["unpatched (QEMU>=10 etc/boot/kernel + OVMF>=2025.05)"]);
  assert.equal(values("rtmr1").length, 2, "and once more for leaving firmware at the second try");
  for (const memory of ["2G", "2.5G", "4G"])
    assert.equal(values("rtmr1", memoryOf(memory))[1], rtmr1[`patched ${memory}`], memory);
  assert.deepEqual(values("rtmr2"), [
    rtmr2['suffix "<cmdline> initrd=initrd"'],
    rtmr2['prefix "initrd=initrd <cmdline>"'],
  ]);
});

test("RTMR0 is predicted when the machine is known, and else the reason is given", () => {
  const firmware = buildFirmware(TDX_FIRMWARE);
  const acpi = { loader: sha384(Buffer.from("1")), rsdp: sha384(Buffer.from("2")), tables: sha384(Buffer.from("3")) };
  const why = (bytes: Uint8Array, machine: Parameters<typeof predictTdx>[2]) =>
    predictTdx(bytes, undefined, machine)
      .notPredicted.map((entry) => entry.why)
      .join();
  assert.match(why(firmware, {}), /memory size/);
  assert.match(why(firmware, { memory: GIB }), /ACPI/);
  const enrolled = emptyVariableStore(0x100);
  enrolled.set([0xaa, 0x55], 0x48 + 28);
  assert.match(why(buildFirmware({ ...TDX_FIRMWARE, head: enrolled }), { memory: GIB, acpi }), /holds variables/);
  const known = predictTdx(firmware, undefined, { memory: GIB, acpi });
  assert.deepEqual(known.notPredicted, []);
  const store = firmware.subarray(0, 0x1000);
  const expected = [
    tdHobDigest(firmware, GIB),
    sha384(store),
    ...emptySecureBootDigests(),
    SEPARATOR.digest.sha384,
    acpi.loader,
    acpi.rsdp,
    acpi.tables,
    ...uiAppBootDigests(),
  ];
  assert.equal(
    known.registers.find(({ register }) => register === "rtmr0")?.values[0]?.value,
    extendAll("sha384", expected),
  );
});

const rows = (...changed: readonly (readonly [number, Partial<TdvfRow>])[]) =>
  buildFirmware({
    ...TDX_FIRMWARE,
    tdvf: TDVF_SECTIONS.map((row, index) => ({ ...row, ...changed.find(([at]) => at === index)?.[1] })),
  });

test("hand-off blocks are refused for memory or sections that cannot be", () => {
  const firmware = buildFirmware(TDX_FIRMWARE);
  for (const memory of [0, -4096, 100, Number.NaN, 2 ** 44 + 4096])
    assert.throws(() => tdHobDigest(firmware, memory), { ...INVALID, message: /whole pages/ });
  assert.throws(() => tdHobDigest(firmware, 0x80_0000), { ...INVALID, message: /outside of the guest's memory/ });
  assert.throws(() => tdHobDigest(rows([4, { type: 3 }]), GIB), { ...INVALID, message: /exactly one TD_HOB/ });
  assert.throws(() => tdHobDigest(rows([5, { type: 2 }]), GIB), { ...INVALID, message: /exactly one TD_HOB/ });
  const many = Array.from(
    { length: 50 },
    (_, index): TdvfRow => ({ gpa: 0x100_0000 + index * 0x2000, memory: 0x1000, type: 3 }),
  );
  assert.throws(
    () => tdHobDigest(buildFirmware({ tdvf: [{ gpa: 0x80_9000, memory: 0x1000, type: 2 }, ...many] }), GIB),
    { ...INVALID, message: /too small/ },
  );
});

test("no metadata makes a prediction do anything but refuse", () => {
  const size = fc.oneof(fc.constantFrom(0, 0x1000, 0x2000, 0x10_0000, 2 ** 32, 2 ** 52), fc.nat(0x4000));
  const row = fc.record({
    offset: size,
    size: fc.nat(0x3000),
    gpa: size,
    memory: size,
    type: fc.nat(6),
    attributes: fc.nat(4),
  });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 8 }), fc.nat(2 ** 32), (tdvf, memory) => {
      const firmware = buildFirmware({
        tdvf: tdvf.map((entry) => ({ ...entry, offset: entry.offset % 2 ** 32 })),
        head: emptyVariableStore(0x100),
      });
      for (const read of [
        () => predictTdx(firmware, undefined, {}),
        () => tdHobDigest(firmware, memory),
        () => variableStore(firmware),
      ]) {
        try {
          read();
        } catch (thrown) {
          assert.equal((thrown as { code?: string }).code, "MEASURE_INPUT_INVALID", String(thrown));
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("sections of size zero are no accepted memory", () => {
  assert.deepEqual(
    tdHobDigest(rows([2, { gpa: 0, memory: 0 }]), GIB),
    tdHobDigest(buildFirmware({ tdvf: TDVF_SECTIONS.filter((_, index) => index !== 2) }), GIB),
  );
});

test("a variable store is refused when there is not exactly one of the known format", () => {
  assert.throws(() => variableStore(rows([1, { type: 3 }])), { ...INVALID, message: /exactly one CFV/ });
  assert.throws(() => variableStore(rows([2, { type: 1 }])), { ...INVALID, message: /exactly one CFV/ });
  const other = emptyVariableStore(0x100);
  other.fill(0, 0x48, 0x58);
  assert.throws(() => variableStore(buildFirmware({ ...TDX_FIRMWARE, head: other })), {
    ...INVALID,
    message: /not in the format/,
  });
  assert.throws(() => variableStore(rows([1, { size: 0x20 }])), { ...INVALID, message: /are not in its 32 bytes/ });
});
