import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  digestInput,
  kernelProgram,
  kernelVariants,
  launchRegister,
  predictPcrs,
  predictTdx,
  snpFirmwareDigest,
  snpLaunchDigest,
  snpProcessorPages,
  svsmLaunchDigest,
  type SnpLaunch,
} from "@cmcp/measure";
import { buildFirmware, SEV_FIRMWARE, TDX_FIRMWARE } from "../../../measure/src/testing/firmware.ts";
import { buildPe } from "../../../measure/src/testing/pe.ts";
import type { Command } from "../command.ts";
import { measureSevSnp } from "./sev-snp.ts";
import { measureTdx } from "./tdx.ts";
import { measureTpm } from "./tpm.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const KERNEL = buildPe([{ name: ".text", content: Buffer.from("kernel") }]);
const UKI = buildPe([{ name: ".linux", content: KERNEL }]);
const [SNP, TDX] = [buildFirmware(SEV_FIRMWARE), buildFirmware(TDX_FIRMWARE)];
const SVSM = buildFirmware({ svsmOffset: 0x100, sev: [[0x80_0000, 0x1000, 2]] });
const sha256 = (data: string | Uint8Array): Buffer => createHash("sha256").update(data).digest();

let folder = "";
const at = (name: string): string => join(folder, name);
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "cmcp-measure-cli-"));
  const files = {
    "snp.fd": SNP,
    "tdx.fd": TDX,
    "svsm.fd": SVSM,
    vmlinuz: KERNEL,
    "initrd.img": Buffer.from("initrd"),
    "image.efi": UKI,
    "launch.json": Buffer.from("{}"),
    "short.fd": SNP.subarray(0, 4096),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(at(name), content);
});
after(() => rm(folder, { recursive: true }));

/** What a command prints and its exit code. */
async function run(command: Command, ...args: string[]): Promise<string> {
  const out = new PassThrough();
  assert.equal(await command.run(args, { out, err: out, colour: false }), 0);
  out.end();
  return (await out.toArray()).join("");
}
const json = async (command: Command, ...args: string[]): Promise<unknown> =>
  JSON.parse(await run(command, ...args, "--json"));

const LAUNCH: SnpLaunch = { firmware: SNP, vcpus: 2, cpuSignature: 0x80_0f12, features: 1n, vmm: "QEMU" };

test("sev-snp prints the launch digest, whichever way the processor is named", async () => {
  const shape = ["--ovmf", at("snp.fd"), "--vcpus", "2"];
  const expected = `${snpLaunchDigest(LAUNCH)}\n`;
  for (const vcpu of [
    ["--vcpu-type", "EPYC-v4"],
    ["--vcpu-sig", "0x800f12"],
    ["--vcpu-family", "23", "--vcpu-model", "1", "--vcpu-stepping=2"],
  ])
    assert.equal(await run(measureSevSnp, ...shape, ...vcpu), expected);
  assert.deepEqual(await json(measureSevSnp, ...shape, "--vcpu-type", "EPYC-v4"), {
    ok: true,
    platform: "sev-snp",
    mode: "snp",
    measurement: expected.trim(),
  });
  assert.equal(
    await run(measureSevSnp, ...shape, "--vcpu-type", "EPYC", "--output-format", "base64"),
    `${Buffer.from(expected.trim(), "hex").toString("base64")}\n`,
  );
  assert.equal(
    await run(measureSevSnp, ...shape, "--vmm-type", "gce"),
    `${snpLaunchDigest({ ...LAUNCH, vmm: "gce" })}\n`,
  );
});

test("sev-snp measures kernel, initrd, command line and features, and takes a digest after the firmware", async () => {
  const shape = ["--ovmf", at("snp.fd"), "--vcpus", "2", "--vcpu-type", "EPYC-v4"];
  const kernel = { kernel: sha256(KERNEL), initrd: sha256("initrd"), commandLine: "acpi=off" };
  const files = ["--kernel", at("vmlinuz"), "--initrd", at("initrd.img"), "--append", "acpi=off"];
  assert.equal(
    await run(measureSevSnp, ...shape, ...files, "--guest-features", "0x21"),
    `${snpLaunchDigest({ ...LAUNCH, kernel, features: 0x21n })}\n`,
  );
  assert.equal(
    await run(measureSevSnp, ...shape, "--kernel", at("vmlinuz")),
    `${snpLaunchDigest({ ...LAUNCH, kernel: { kernel: kernel.kernel, initrd: sha256(""), commandLine: "" } })}\n`,
  );
  const firmware = await run(measureSevSnp, "--mode", "snp:ovmf-hash", "--ovmf", at("snp.fd"));
  assert.equal(firmware, `${snpFirmwareDigest(SNP)}\n`);
  assert.equal(await run(measureSevSnp, ...shape, "--snp-ovmf-hash", firmware.trim()), `${snpLaunchDigest(LAUNCH)}\n`);
});

test("sev-snp measures a launch with an SVSM", async () => {
  const expected = `${svsmLaunchDigest({ firmware: SNP, svsm: SVSM, varsSize: 4096, vcpus: 3, cpuSignature: 0x80_0f12 })}\n`;
  const shape = [
    "--mode",
    "snp:svsm",
    "--ovmf",
    at("snp.fd"),
    "--svsm",
    at("svsm.fd"),
    "--vcpus",
    "3",
    "--vcpu-type",
    "EPYC-v4",
  ];
  assert.equal(await run(measureSevSnp, ...shape, "--vars-size", "4096"), expected);
  assert.equal(await run(measureSevSnp, ...shape, "--vars-file", at("short.fd")), expected);
});

test("sev-snp writes the save areas it measured", async () => {
  const work = await mkdtemp(join(folder, "vmsa-"));
  const args = ["measure", "sev-snp", "--ovmf", at("snp.fd"), "--vcpus", "2", "--vcpu-type", "EPYC-v4", "--dump-vmsa"];
  const { status } = spawnSync(process.execPath, [MAIN, ...args], { cwd: work });
  assert.equal(status, 0);
  const pages = [...snpProcessorPages(LAUNCH)].map((page) => Buffer.from(page));
  assert.deepEqual((await readdir(work)).sort(), ["vmsa0.bin", "vmsa1.bin"]);
  assert.deepEqual(await Promise.all(["vmsa0.bin", "vmsa1.bin"].map((name) => readFile(join(work, name)))), pages);
});

test("sev-snp replaces save areas through a link, and where one cannot be written it writes none", async () => {
  const work = await mkdtemp(join(folder, "vmsa-"));
  const dump = () =>
    spawnSync(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        MAIN,
        "measure",
        "sev-snp",
        "--ovmf",
        at("snp.fd"),
        "--vcpus",
        "2",
        "--vcpu-type",
        "EPYC-v4",
        "--dump-vmsa",
      ],
      { cwd: work, encoding: "utf8" },
    );
  await writeFile(join(work, "kept"), "old");
  await symlink("kept", join(work, "vmsa0.bin"));
  await mkdir(join(work, "vmsa1.bin"));
  const refused = dump();
  assert.deepEqual([refused.status, refused.stdout, await readFile(join(work, "kept"), "utf8")], [64, "", "old"]);
  assert.match(refused.stderr, /^USAGE: cannot write vmsa1\.bin: it is not a regular file/);
  assert.deepEqual((await readdir(work)).toSorted(), ["kept", "vmsa0.bin", "vmsa1.bin"]);
  await rm(join(work, "vmsa1.bin"), { recursive: true });
  assert.equal(dump().status, 0);
  const [first] = snpProcessorPages(LAUNCH);
  assert.ok(first !== undefined);
  assert.deepEqual(
    [await readFile(join(work, "kept")), (await lstat(join(work, "vmsa0.bin"))).isSymbolicLink()],
    [Buffer.from(first), true],
  );
});

test("tdx prints what it predicts, when, and why not the rest", async () => {
  const initrd = await digestInput(at("initrd.img"), "initrd", 100);
  const prediction = predictTdx(
    TDX,
    kernelVariants({ kernel: kernelProgram(KERNEL), initrd, commandLine: "quiet" }, undefined),
    {},
  );
  const args = ["--ovmf", at("tdx.fd"), "--kernel", at("vmlinuz"), "--initrd", at("initrd.img"), "--append", "quiet"];
  const printed = await run(measureTdx, ...args);
  for (const { register, values } of prediction.registers)
    for (const { value, when } of values)
      assert.ok(printed.includes(`${register.padEnd(5)}  ${value}${when === "" ? "" : `  ${when}`}\n`), register);
  assert.match(printed, /^not predicted: rtmr0: depends on the memory size/m);
  const expected = Object.fromEntries(
    prediction.registers.map(({ register, from, values }) => [register, { from, values }]),
  );
  assert.deepEqual(await json(measureTdx, ...args), {
    ok: true,
    platform: "tdx",
    registers: expected,
    not_predicted: { rtmr0: "depends on the memory size: the hand-off blocks list it" },
  });
});

test("tdx predicts RTMR0 of a known machine", async () => {
  const digests = ["1", "2", "3"].map((text) => createHash("sha384").update(text).digest());
  const [loader, rsdp, tables] = digests;
  assert.ok(loader !== undefined && rsdp !== undefined && tables !== undefined);
  const prediction = predictTdx(TDX, undefined, { memory: 2 ** 31, acpi: { loader, rsdp, tables } });
  const printed = await run(
    measureTdx,
    "--ovmf",
    at("tdx.fd"),
    "--memory",
    "2G",
    "--acpi-digests",
    digests.map((digest) => digest.toString("hex")).join(","),
  );
  assert.ok(
    printed.includes(
      `rtmr0  ${prediction.registers.find(({ register }) => register === "rtmr0")?.values[0]?.value ?? "none"}`,
    ),
  );
  assert.ok(!printed.includes("not predicted"));
});

test("tpm prints both banks, and the launch document's PCR", async () => {
  const variants = kernelVariants({ kernel: kernelProgram(KERNEL), commandLine: "quiet" }, undefined);
  const printed = await run(
    measureTpm,
    "--kernel",
    at("vmlinuz"),
    "--append",
    "quiet",
    "--launch-document",
    at("launch.json"),
  );
  for (const bank of ["sha256", "sha384"] as const) {
    for (const { register, values } of predictPcrs(variants, bank).registers)
      assert.ok(
        printed.includes(`${bank} ${register.padEnd(5)}  ${values[0]?.value ?? "none"}`),
        `${bank} ${register}`,
      );
    assert.ok(printed.includes(`${bank} pcr15  ${launchRegister(bank, sha256("{}"))}\n`));
  }
  assert.match(printed, /^not predicted: pcr1: /m);
  const alone = await json(measureTpm, "--launch-document", at("launch.json"));
  const pcr15 = (bank: "sha256" | "sha384") => ({
    pcr15: { from: "image", values: [{ value: launchRegister(bank, sha256("{}")), when: "" }] },
  });
  assert.deepEqual(alone, {
    ok: true,
    platform: "tpm",
    banks: { sha256: pcr15("sha256"), sha384: pcr15("sha384") },
    not_predicted: {},
  });
});

test("tpm measures a unified kernel image, with a command line given at start", async () => {
  const [plain, appended] = [
    await run(measureTpm, "--uki", at("image.efi")),
    await run(measureTpm, "--uki", at("image.efi"), "--append", "quiet"),
  ];
  const pcr = (printed: string, name: string) =>
    printed.split("\n").filter((line) => line.startsWith(`sha256 ${name}`));
  for (const [name, same] of [
    ["pcr4", true],
    ["pcr11", true],
    ["pcr12", false],
    ["pcr9", false],
  ] as const)
    assert.equal(pcr(plain, name).join() === pcr(appended, name).join(), same, name);
  assert.equal(pcr(plain, "pcr4").length, 2);
});

const SHAPE = ["--vcpus", "1", "--vcpu-type", "EPYC-v4"];

/** Code of the error, its message, and the command line; files are those of the test's folder. */
const REFUSED: readonly (readonly [string, RegExp, readonly string[]])[] = [
  ["USAGE", /--ovmf is required/, ["sev-snp", ...SHAPE]],
  ["USAGE", /--vcpus is required/, ["sev-snp", "--ovmf", "snp.fd", "--vcpu-type", "EPYC"]],
  ["USAGE", /--vcpu-type, --vcpu-sig or --vcpu-family is required/, ["sev-snp", "--ovmf", "snp.fd", "--vcpus", "1"]],
  ["USAGE", /exclude each other/, ["sev-snp", "--ovmf", "snp.fd", ...SHAPE, "--vcpu-sig", "1"]],
  ["USAGE", /--vcpu-model is required/, ["sev-snp", "--ovmf", "snp.fd", "--vcpus", "1", "--vcpu-family", "23"]],
  ["USAGE", /--vcpu-family is required/, ["sev-snp", "--ovmf", "snp.fd", "--vcpus", "1", "--vcpu-stepping", "23"]],
  ["USAGE", /whole number/, ["sev-snp", "--ovmf", "snp.fd", "--vcpus", "1e3", "--vcpu-type", "EPYC"]],
  ["USAGE", /whole number/, ["sev-snp", "--ovmf", "snp.fd", "--vcpus", "1", "--vcpu-sig", "0x100000000"]],
  ["USAGE", /need --kernel/, ["sev-snp", "--ovmf", "snp.fd", ...SHAPE, "--append", "x"]],
  ["USAGE", /--vmm-type is one of/, ["sev-snp", "--ovmf", "snp.fd", ...SHAPE, "--vmm-type", "xen"]],
  ["USAGE", /before SEV-SNP are not computed/, ["sev-snp", "--ovmf", "snp.fd", ...SHAPE, "--mode", "seves"]],
  ["USAGE", /hex or base64/, ["sev-snp", "--ovmf", "snp.fd", ...SHAPE, "--output-format", "raw"]],
  ["USAGE", /96 hex digits/, ["sev-snp", "--ovmf", "snp.fd", ...SHAPE, "--snp-ovmf-hash", "00"]],
  [
    "USAGE",
    /--vars-size or --vars-file/,
    ["sev-snp", "--ovmf", "snp.fd", ...SHAPE, "--mode", "snp:svsm", "--svsm", "svsm.fd"],
  ],
  [
    "USAGE",
    /--kernel is not for snp:svsm/,
    ["sev-snp", "--ovmf", "snp.fd", ...SHAPE, "--mode", "snp:svsm", "--kernel", "vmlinuz"],
  ],
  [
    "USAGE",
    /guest features 0x1 only/,
    ["sev-snp", "--ovmf", "snp.fd", ...SHAPE, "--mode", "snp:svsm", "--guest-features", "0x21"],
  ],
  ["USAGE", /takes options only/, ["sev-snp", "--ovmf", "snp.fd", ...SHAPE, "extra"]],
  ["MEASURE_INPUT_INVALID", /vCPU type/, ["sev-snp", "--ovmf", "snp.fd", "--vcpus", "1", "--vcpu-type", "Pentium"]],
  ["MEASURE_INPUT_INVALID", /guest features/, ["sev-snp", "--ovmf", "snp.fd", ...SHAPE, "--guest-features", "0x3"]],
  ["MEASURE_INPUT_INVALID", /firmware: cannot read/, ["sev-snp", "--ovmf", "missing.fd", ...SHAPE]],
  ["MEASURE_INPUT_INVALID", /firmware: has no GUIDed table/, ["sev-snp", "--ovmf", "short.fd", ...SHAPE]],
  ["USAGE", /takes options only/, ["tdx", "--ovmf", "tdx.fd", "extra"]],
  ["USAGE", /three digests/, ["tdx", "--ovmf", "tdx.fd", "--acpi-digests", "00".repeat(48)]],
  ["USAGE", /number of bytes/, ["tdx", "--ovmf", "tdx.fd", "--memory", "2X"]],
  ["USAGE", /exclude each other/, ["tdx", "--ovmf", "tdx.fd", "--kernel", "vmlinuz", "--uki", "image.efi"]],
  ["MEASURE_INPUT_INVALID", /no TDVF metadata entry/, ["tdx", "--ovmf", "snp.fd"]],
  ["USAGE", /is required/, ["tpm"]],
  ["USAGE", /takes options only/, ["tpm", "--uki", "image.efi", "extra"]],
  ["USAGE", /--initrd needs --kernel/, ["tpm", "--uki", "image.efi", "--initrd", "initrd.img"]],
  ["USAGE", /--append needs/, ["tpm", "--append", "quiet"]],
  ["MEASURE_NOT_PREDICTABLE", /begins with @/, ["tpm", "--uki", "image.efi", "--append", "@1"]],
  ["MEASURE_INPUT_INVALID", /UKI: has no kernel section/, ["tpm", "--uki", "vmlinuz"]],
];

const COMMANDS: Readonly<Record<string, Command>> = { "sev-snp": measureSevSnp, tdx: measureTdx, tpm: measureTpm };

for (const [code, message, [name = "", ...args]] of REFUSED) {
  test(`refused: cmcp measure ${name} ${args.join(" ")}`.slice(0, 120), async () => {
    const command = COMMANDS[name];
    assert.ok(command !== undefined);
    const files = await readdir(folder);
    await assert.rejects(run(command, ...args.map((arg) => (files.includes(arg) ? at(arg) : arg))), { code, message });
  });
}

test("commands are reached by name, explain themselves, and say by exit code what went wrong", () => {
  const cmcp = (...args: string[]) =>
    spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, "measure", ...args], {
      cwd: folder,
      encoding: "utf8",
    });
  for (const name of Object.keys(COMMANDS)) {
    const { status, stdout } = cmcp(name, "--help");
    assert.deepEqual(
      [status, stdout.startsWith(`Usage: cmcp measure ${name} `), stdout.includes("Exit codes:")],
      [0, true, true],
    );
  }
  assert.equal(cmcp("tpm").status, 64);
  const { status, stdout } = cmcp("tdx", "--ovmf", "missing.fd", "--json");
  assert.equal(status, 10);
  assert.match(stdout, /^\{"ok":false,"error":\{"code":"MEASURE_INPUT_INVALID"/);
});
