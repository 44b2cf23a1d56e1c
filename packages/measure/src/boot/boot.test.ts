import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { toHex } from "@cmcp/boundary";
import { parseEventLog, replay } from "../../../appraise/src/event-log/index.ts";
import { predictPcrs } from "../tpm/predict.ts";
import { buildPe } from "../testing/pe.ts";
import { BOOTS, hex, vectorFile } from "../testing/vectors.ts";
import { directKernelEvents } from "./direct-kernel.ts";
import { digestPair, pcrValue, rtmrOfPcr, type BootEvent, type DigestPair } from "./event.ts";
import { paddedTo4, stubArchive } from "./stub-archive.ts";
import { measureUki, ukiEvents } from "./uki.ts";
import { kernelProgram, kernelVariants, ukiVariants } from "./variants.ts";

const BANKS = ["sha256", "sha384"] as const;
const PCRS = ["pcr4", "pcr9", "pcr11", "pcr12"] as const;
const INITRD = Buffer.from(BOOTS.initrd_base64, "base64");
const text = (value: string): Buffer => Buffer.from(value, "utf8");
const pair = (digest: { readonly sha256: string; readonly sha384: string }): DigestPair => ({
  sha256: hex(digest.sha256),
  sha384: hex(digest.sha384),
});

/** Stands for the real kernel, which is too large for the repository. */
const STAND_IN_KERNEL = buildPe([{ name: ".text", content: text("stand-in") }]);

/** An image with the real one's sections but for the kernel. */
function standInUki(sections: Readonly<Record<string, string>>): Buffer {
  const small = Object.entries(sections).map(([name, content]) => ({ name, content: text(content) }));
  return buildPe([...small, { name: ".linux", content: STAND_IN_KERNEL }, { name: ".initrd", content: INITRD }]);
}

/** The events of a really booted image: those of its stand-in, with the digests of image and kernel put in. */
function realUkiEvents(name: string, start: "qemu-kernel" | "disk", appended: string): readonly BootEvent[] {
  const real = BOOTS.ukis[name];
  assert.ok(real !== undefined);
  const measured = measureUki(standInUki(real.sections), appended);
  const content = toHex(digestPair(STAND_IN_KERNEL).sha256);
  const stub = measured.stub.map((event) =>
    toHex(event.digest.sha256) === content ? { ...event, digest: pair(BOOTS.kernel) } : event,
  );
  return ukiEvents(
    {
      ...measured,
      stub,
      image: { ...measured.image, digest: pair(real.authenticode) },
      kernel: { ...measured.kernel, digest: pair(BOOTS.kernel.authenticode) },
    },
    start,
  );
}

function eventsOf(boot: (typeof BOOTS.boots)[number]): readonly BootEvent[] {
  if (boot.start !== "kernel") return realUkiEvents(boot.uki, boot.start, boot.appended);
  return directKernelEvents({
    kernel: pair(BOOTS.kernel.authenticode),
    initrd: digestPair(INITRD),
    commandLine: boot.command_line,
    initrdArgument: boot.initrd_argument,
  });
}

for (const boot of BOOTS.boots) {
  test(`boot ${boot.name}: the PCRs its TPM had are predicted`, () => {
    const events = eventsOf(boot);
    for (const bank of BANKS)
      for (const pcr of PCRS)
        assert.equal(pcrValue(events, bank, Number(pcr.slice(3))), boot.pcrs[bank][pcr], `${bank} ${pcr}`);
  });

  test(`boot ${boot.name}: every event of its log is predicted, in its order`, async () => {
    const log = parseEventLog(vectorFile(`boots/${boot.name}.log.bin`));
    const registers = await replay(webcrypto, log, "sha256", "pcr");
    for (const pcr of PCRS)
      assert.equal(
        toHex(registers.get(Number(pcr.slice(3)))?.value ?? new Uint8Array()),
        boot.pcrs.sha256[pcr],
        "the log is that of the TPM",
      );
    const seen = log.events
      .filter(({ register }) => [4, 9, 11, 12].includes(register))
      .map(({ register, digests }) => [register, toHex(digests.get(0x000b) ?? new Uint8Array())]);
    assert.deepEqual(
      eventsOf(boot).map(({ pcr, digest }) => [pcr, toHex(digest.sha256)]),
      seen,
    );
  });
}

test("a prediction lists a value for each way of starting the same kernel", () => {
  const kernel = buildPe([{ name: ".text", content: text("kernel") }]);
  const initrd = { bytes: INITRD.length, digest: digestPair(INITRD) };
  const { registers } = predictPcrs(
    kernelVariants({ kernel: kernelProgram(kernel), initrd, commandLine: "quiet" }, undefined),
    "sha256",
  );
  assert.deepEqual(
    registers.map(({ register, values }) => [register, values.length]),
    [
      ["pcr4", 1],
      ["pcr9", 2],
      ["pcr11", 1],
      ["pcr12", 1],
    ],
  );
  assert.deepEqual(
    registers.map(({ values }) => values.map(({ when }) => when)),
    [["QEMU from 10 on with edk2 from 202502 on"], ["edk2 up to 202502", "edk2 from 202505 on"], [""], [""]],
  );
  const bare = predictPcrs(
    kernelVariants({ kernel: kernelProgram(kernel), commandLine: "quiet" }, undefined),
    "sha256",
  );
  assert.deepEqual(
    bare.registers.slice(1).map(({ values }) => values.map(({ when }) => when)),
    [[""], [""], [""]],
    "without an initrd there is no argument to place",
  );
});

test("an initrd of no bytes is none to firmware: it names none and measures none", () => {
  const kernel = kernelProgram(buildPe([{ name: ".text", content: text("kernel") }]));
  const predicted = (initrd: Buffer | undefined) =>
    predictPcrs(
      kernelVariants(
        {
          kernel,
          commandLine: "quiet",
          ...(initrd === undefined ? {} : { initrd: { bytes: initrd.length, digest: digestPair(initrd) } }),
        },
        undefined,
      ),
      "sha256",
    ).registers;
  assert.deepEqual(predicted(Buffer.alloc(0)), predicted(undefined));
  assert.notDeepEqual(predicted(Buffer.alloc(1)), predicted(undefined));
});

test("a command line that is not ASCII is predicted where the stub reads it, and not where firmware makes text of it", () => {
  const kernel = kernelProgram(buildPe([{ name: ".text", content: text("kernel") }]));
  const refused = { code: "MEASURE_NOT_PREDICTABLE", message: /not ASCII/ };
  for (const commandLine of ["a=ü", "a=\u0080", "a=€"]) {
    assert.throws(() => kernelVariants({ kernel, commandLine }, undefined), refused);
    assert.throws(() => ukiVariants(standInUki({}), commandLine), refused);
    assert.deepEqual(
      measureUki(standInUki({ ".cmdline": commandLine })).kernelStub[0]?.digest,
      digestPair(Buffer.from(`${commandLine}\0`, "utf16le")),
    );
  }
});

test("a unified kernel image started from a disk has another PCR 4 and nothing else", () => {
  const { registers } = predictPcrs(ukiVariants(standInUki({ ".cmdline": "quiet" }), ""), "sha384");
  assert.deepEqual(
    registers.map(({ values }) => values.map(({ when }) => when)),
    [["started as QEMU's -kernel", "started from a disk by a boot option"], [""], [""], [""]],
  );
});

test("everything in an image changes a PCR that the command line given at start does not", () => {
  const pcr11 = (sections: Record<string, string>, appended = ""): string =>
    pcrValue(ukiEvents(measureUki(standInUki(sections), appended), "disk"), "sha256", 11);
  const values = [
    { ".cmdline": "a" },
    { ".cmdline": "b" },
    { ".osrel": "a" },
    { ".uname": "a" },
    { ".sbat": "a" },
    { ".pcrpkey": "a" },
    { ".splash": "a" },
    { ".ucode": "a" },
    { ".dtb": "a" },
    {},
  ].map((sections) => pcr11(sections));
  assert.equal(new Set(values).size, values.length);
  assert.equal(pcr11({ ".cmdline": "a" }, "b"), values[0]);
  assert.equal(pcr11({ ".pcrsig": "a" }), pcr11({ ".pcrsig": "b" }), "the signature of PCR values is not in them");
});

test("load options of nothing are not measured, nor is an initrd of nothing", () => {
  const bare = { kernel: digestPair(), commandLine: "", initrdArgument: "last" } as const;
  assert.deepEqual(
    directKernelEvents(bare).map(({ pcr }) => pcr),
    [4, 4, 4],
  );
  const events = ukiEvents(measureUki(buildPe([{ name: ".linux", content: STAND_IN_KERNEL }])), "disk");
  assert.deepEqual(
    events.map(({ pcr }) => pcr),
    [4, 4, 4, 11, 11, 4],
  );
});

test("command lines are refused that the stub reads in another way", () => {
  const uki = (commandLine: string): Buffer =>
    buildPe([
      { name: ".linux", content: STAND_IN_KERNEL },
      { name: ".cmdline", content: Buffer.from(commandLine, "latin1") },
    ]);
  assert.deepEqual(measureUki(uki(" a b\n")).kernelStub, measureUki(uki("a b")).kernelStub);
  assert.deepEqual(measureUki(uki("a b\0rest")).kernelStub, measureUki(uki("a b")).kernelStub);
  for (const [file, appended, code] of [
    [uki("a\nb"), "", "MEASURE_INPUT_INVALID"],
    [uki("\xff"), "", "MEASURE_INPUT_INVALID"],
    [uki("a"), "@1 a", "MEASURE_NOT_PREDICTABLE"],
    [uki("a"), "a\tb", "MEASURE_INPUT_INVALID"],
  ] as const) {
    assert.throws(() => measureUki(file, appended), { code });
  }
});

test("no change of a good image makes its measurement do anything but refuse", () => {
  const good = standInUki({ ".osrel": "a", ".cmdline": "b" });
  const change = fc.tuple(fc.oneof(fc.nat(0x400), fc.nat(good.length - 1)), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 5 }), fc.string({ maxLength: 20 }), (changes, appended) => {
      const image = Buffer.from(good);
      for (const [at, value] of changes) image[at] = value;
      try {
        measureUki(image, appended);
      } catch (thrown) {
        assert.match((thrown as { code?: string }).code ?? String(thrown), /^MEASURE_(INPUT_INVALID|NOT_PREDICTABLE)$/);
      }
    }),
    { numRuns: 1000 },
  );
});

test("the archive of a section is one that cpio readers take apart again", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z.-]{1,40}$/), fc.uint8Array({ maxLength: 300 }), (name, content) => {
      const found = readArchive(Buffer.from(stubArchive(name, content)));
      assert.deepEqual(
        found.map((entry) => entry.name),
        [".extra", `.extra/${name}`, "TRAILER!!!"],
      );
      assert.deepEqual(new Uint8Array(found[1]?.content ?? []), content);
    }),
  );
  for (const [length, zeros] of [
    [0, 0],
    [1, 3],
    [4, 0],
    [7, 1],
  ] as const)
    assert.deepEqual(
      paddedTo4(new Uint8Array(length)).map((part) => part.length),
      [length, zeros],
    );
});

/** Reads "newc" archives by their definition (Linux Documentation/driver-api/early-userspace/buffer-format.rst). */
function readArchive(archive: Buffer): { readonly name: string; readonly content: Buffer }[] {
  const found = [];
  for (let at = 0; at < archive.length; ) {
    assert.equal(archive.toString("latin1", at, at + 6), "070701");
    const field = (index: number): number =>
      Number.parseInt(archive.toString("latin1", at + 6 + index * 8, at + 14 + index * 8), 16);
    const [size, nameSize] = [field(6), field(11)];
    const content = Math.ceil((at + 110 + nameSize) / 4) * 4;
    found.push({
      name: archive.toString("latin1", at + 110, at + 110 + nameSize - 1),
      content: archive.subarray(content, content + size),
    });
    at = Math.ceil((content + size) / 4) * 4;
  }
  return found;
}

test("PCRs go to RTMRs as the UEFI specification maps them", () => {
  assert.deepEqual([1, 7, 2, 3, 4, 5, 6, 8, 9, 11, 12, 15].map(rtmrOfPcr), [0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
});
