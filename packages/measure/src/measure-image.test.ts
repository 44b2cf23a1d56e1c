import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { untrusted } from "@cmcp/boundary";
import { digestPair } from "./boot/event.ts";
import { kernelProgram, kernelVariants } from "./boot/variants.ts";
import { measureImage, type ImageInputs } from "./measure-image.ts";
import { acceptedLaunch, parseMeasurements } from "./measurements.ts";
import { predictedValues } from "./prediction.ts";
import { snpLaunchDigest } from "./sev-snp/launch-digest.ts";
import { predictTdx } from "./tdx/predict.ts";
import { buildFirmware, SEV_FIRMWARE, TDX_FIRMWARE } from "./testing/firmware.ts";
import { buildPe } from "./testing/pe.ts";
import { predictPcrs } from "./tpm/predict.ts";
import { writeMeasurements } from "./write-measurements.ts";

const KERNEL = buildPe([{ name: ".text", content: Buffer.from("kernel") }]);
const INITRD = Buffer.from("initrd");
const UKI = buildPe([
  { name: ".linux", content: KERNEL },
  { name: ".initrd", content: INITRD },
]);
const [SNP, TDX] = [buildFirmware(SEV_FIRMWARE), buildFirmware(TDX_FIRMWARE)];

let folder = "";
let inputs: ImageInputs;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "cmcp-measure-"));
  const put = async (name: string, content: Uint8Array): Promise<string> => {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  };
  inputs = {
    name: "image",
    version: "1.2.3",
    kernel: await put("vmlinuz", KERNEL),
    initrd: await put("initrd.img", INITRD),
    uki: await put("image.efi", UKI),
    sevSnp: {
      firmware: await put("snp.fd", SNP),
      commandLine: "acpi=off",
      vcpus: [1, 2],
      vcpuTypes: ["EPYC-v4", "EPYC-Milan"],
      guestFeatures: [0x1n, 0x21n],
    },
    tdx: { firmware: await put("tdx.fd", TDX), commandLine: "quiet" },
    tpm: { commandLine: "quiet" },
  };
});
after(() => rm(folder, { recursive: true }));

test("an image's measurements are those of its files, for each platform and shape", async () => {
  const { image, accepted } = await measureImage(inputs);
  assert.deepEqual(
    image.files.map(({ name, role, bytes }) => [name, role, bytes]),
    [
      ["vmlinuz", "kernel", KERNEL.length],
      ["initrd.img", "initrd", INITRD.length],
      ["image.efi", "uki", UKI.length],
      ["snp.fd", "firmware", SNP.length],
      ["tdx.fd", "firmware", TDX.length],
    ],
  );
  assert.deepEqual(
    image.files.map(({ sha256 }) => sha256),
    [KERNEL, INITRD, UKI, SNP, TDX].map((content) => createHash("sha256").update(content).digest("hex")),
  );
  assert.deepEqual(
    accepted.map(({ platform }) => platform),
    [...Array.from({ length: 8 }, () => "sev-snp"), "tdx", "tpm", "tpm", "tpm", "tpm"],
  );

  const kernel = { kernel: digestPair(KERNEL).sha256, initrd: digestPair(INITRD).sha256, commandLine: "acpi=off" };
  for (const entry of accepted) {
    if (entry.platform !== "sev-snp") continue;
    const { vcpus, vcpu_sig, guest_features } = entry.shape;
    assert.deepEqual(entry.registers.measurement, [
      snpLaunchDigest({
        firmware: SNP,
        vcpus,
        cpuSignature: Number(vcpu_sig),
        features: BigInt(guest_features),
        vmm: "QEMU",
        kernel,
      }),
    ]);
  }
  const variants = kernelVariants(
    {
      kernel: kernelProgram(KERNEL),
      initrd: { bytes: INITRD.length, digest: digestPair(INITRD) },
      commandLine: "quiet",
    },
    undefined,
  );
  const tdx = predictTdx(TDX, variants, {});
  assert.deepEqual(accepted[8]?.registers, {
    mrtd: predictedValues(tdx, "mrtd"),
    rtmr1: predictedValues(tdx, "rtmr1"),
    rtmr2: predictedValues(tdx, "rtmr2"),
  });
  assert.deepEqual(
    accepted.flatMap((entry) => (entry.platform === "tdx" ? [entry.shape.boot] : [])),
    ["kernel"],
    "the unified image is not for TDX",
  );
  const [pcr4 = ""] = predictedValues(predictPcrs(variants, "sha384"), "pcr4");
  const direct = accepted.find(
    (entry) => entry.platform === "tpm" && entry.shape.boot === "kernel" && entry.shape.bank === "sha384",
  );
  assert.ok(direct?.platform === "tpm" && direct.registers.pcr4.includes(pcr4));
});

test("an image for one platform has no entries for others", async () => {
  const { name, version, kernel, initrd } = inputs;
  const { image, accepted } = await measureImage({ name, version, kernel, initrd, tpm: { commandLine: "quiet" } });
  assert.deepEqual([accepted.map(({ platform }) => platform), image.files.length], [["tpm", "tpm"], 2]);
});

test("the file is the same each time, and is what a verifier reads", async () => {
  const [first, second] = [join(folder, "first.json"), join(folder, "second.json")];
  const written = await writeMeasurements(inputs, first);
  await writeMeasurements(inputs, second);
  const bytes = await readFile(first);
  assert.deepEqual(bytes, await readFile(second));
  assert.deepEqual(parseMeasurements(untrusted(bytes)), written);
  const [entry] = written.accepted;
  assert.ok(entry?.platform === "sev-snp");
  assert.deepEqual(acceptedLaunch(written, "sev-snp", { measurement: entry.registers.measurement[0] ?? "" }), entry);
});

test("inputs that cannot be measured leave no file", async () => {
  const output = join(folder, "none.json");
  const bad = join(folder, "bad.fd");
  await writeFile(bad, new Uint8Array(4096));
  const tooMany = {
    ...inputs,
    sevSnp: {
      firmware: join(folder, "snp.fd"),
      commandLine: "",
      vcpus: Array.from({ length: 1025 }, () => 1),
      vcpuTypes: ["EPYC"],
      guestFeatures: [1n],
    },
  };
  for (const wrong of [
    { ...inputs, tdx: { firmware: bad, commandLine: "" } },
    { ...inputs, kernel: bad },
    { ...inputs, initrd: join(folder, "missing") },
    { ...inputs, tpm: { commandLine: "a\nb" } },
    tooMany,
  ]) {
    await assert.rejects(writeMeasurements(wrong, output), { code: "MEASURE_INPUT_INVALID" });
  }
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.includes("none.json")),
    [],
  );
});

test("a file is replaced only when the new one is whole", async () => {
  const output = join(folder, "kept");
  await writeMeasurements(inputs, output);
  const before = await readFile(output);
  await assert.rejects(writeMeasurements({ ...inputs, initrd: folder }, output), { code: "MEASURE_INPUT_INVALID" });
  assert.deepEqual(await readFile(output), before);
  // A folder in the way makes the last step fail.
  await assert.rejects(writeMeasurements(inputs, folder));
  assert.deepEqual(
    (await readdir(join(folder, ".."))).filter((name) => name.endsWith(".tmp") && name.includes("cmcp-measure-")),
    [],
  );
});
