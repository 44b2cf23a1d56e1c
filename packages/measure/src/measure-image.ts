import { basename } from "node:path";
import { toHex } from "@cmcp/boundary";
import { digestOf, type HashAlgorithm } from "./bytes/digest.ts";
import { kernelProgram, kernelVariants, ukiVariants, type BootVariants } from "./boot/variants.ts";
import { MAX_FIRMWARE } from "./firmware/firmware.ts";
import { digestInput, MAX_INITRD, readInput, type FileDigest } from "./input/file.ts";
import { checkMeasurements, MEASUREMENTS_FORMAT, type AcceptedLaunch, type Measurements } from "./measurements.ts";
import { MAX_PE } from "./pe/image.ts";
import { predictedValues } from "./prediction.ts";
import { cpuTypeSignature } from "./sev-snp/cpu-signature.ts";
import { snpFirmwareDigest, snpLaunchDigest } from "./sev-snp/launch-digest.ts";
import { predictTdx } from "./tdx/predict.ts";
import { predictPcrs } from "./tpm/predict.ts";

/** A SEV-SNP launch by QEMU with `kernel-hashes=on`, in each shape of the lists. */
export interface SevSnpShapes {
  /** Path of a firmware that takes kernel hashes. */
  readonly firmware: string;
  readonly commandLine: string;
  readonly vcpus: readonly number[];
  /** QEMU's names of CPU models. */
  readonly vcpuTypes: readonly string[];
  readonly guestFeatures: readonly bigint[];
}

/** The files of an image and the machines it is for. Every file is read once. */
export interface ImageInputs {
  readonly name: string;
  readonly version: string;
  /** Paths. */
  readonly kernel: string;
  readonly initrd: string;
  /** Path of a unified kernel image of the same kernel and initrd for a vTPM: its own command line names that platform. */
  readonly uki?: string;
  readonly sevSnp?: SevSnpShapes;
  readonly tdx?: { readonly firmware: string; readonly commandLine: string };
  readonly tpm?: { readonly commandLine: string };
}

type ImageFile = Measurements["image"]["files"][number];

/** A file that stays in memory: firmware, kernel, UKI. */
interface LoadedFile {
  readonly content: Uint8Array;
  readonly file: ImageFile;
}

/** One way of starting the image. */
interface Boot {
  readonly boot: "kernel" | "uki";
  readonly commandLine: string | null;
  readonly files: readonly string[];
  readonly variants: BootVariants;
}

/** A large file of which only the digests are kept. */
interface DigestedFile extends FileDigest {
  readonly file: ImageFile;
}

async function load(path: string, role: ImageFile["role"], max: number): Promise<LoadedFile> {
  const content = await readInput(path, role, max);
  return {
    content,
    file: { name: basename(path), role, sha256: toHex(digestOf("sha256", content)), bytes: content.length },
  };
}

async function digestFile(path: string, role: ImageFile["role"], max: number): Promise<DigestedFile> {
  const digested = await digestInput(path, role, max);
  return {
    ...digested,
    file: { name: basename(path), role, sha256: toHex(digested.digest.sha256), bytes: digested.bytes },
  };
}

function sevSnpEntries(
  { commandLine, vcpus, vcpuTypes, guestFeatures }: SevSnpShapes,
  firmware: LoadedFile,
  kernel: LoadedFile,
  initrd: DigestedFile,
): AcceptedLaunch[] {
  const hashes = { kernel: Buffer.from(kernel.file.sha256, "hex"), initrd: initrd.digest.sha256, commandLine };
  // The firmware's own pages are most of the work, and the same in every shape.
  const start = {
    firmware: firmware.content,
    firmwareDigest: Buffer.from(snpFirmwareDigest(firmware.content), "hex"),
    kernel: hashes,
    vmm: "QEMU",
  } as const;
  const files = [firmware.file.name, kernel.file.name, initrd.file.name];
  const entry = (count: number, type: string, features: bigint): AcceptedLaunch => {
    const cpuSignature = cpuTypeSignature(type);
    const measurement = snpLaunchDigest({ ...start, vcpus: count, cpuSignature, features });
    const shape = {
      vmm: start.vmm,
      vcpus: count,
      vcpu_type: type,
      vcpu_sig: `0x${cpuSignature.toString(16)}`,
      guest_features: `0x${features.toString(16)}`,
    };
    return { platform: "sev-snp", shape, command_line: commandLine, files, registers: { measurement: [measurement] } };
  };
  return vcpus.flatMap((count) =>
    vcpuTypes.flatMap((type) => guestFeatures.map((features) => entry(count, type, features))),
  );
}

function tdxEntry(firmware: LoadedFile, { boot, commandLine, files, variants }: Boot): AcceptedLaunch {
  const prediction = predictTdx(firmware.content, variants, {});
  const registers = {
    mrtd: predictedValues(prediction, "mrtd"),
    rtmr1: predictedValues(prediction, "rtmr1"),
    rtmr2: predictedValues(prediction, "rtmr2"),
  };
  return {
    platform: "tdx",
    shape: { boot },
    command_line: commandLine,
    files: [firmware.file.name, ...files],
    registers,
  };
}

function tpmEntry({ boot, commandLine, files, variants }: Boot, bank: HashAlgorithm): AcceptedLaunch {
  const prediction = predictPcrs(variants, bank);
  const at = (register: string): string[] => predictedValues(prediction, register);
  const registers = { pcr4: at("pcr4"), pcr9: at("pcr9"), pcr11: at("pcr11"), pcr12: at("pcr12") };
  return { platform: "tpm", shape: { boot, bank }, command_line: commandLine, files: [...files], registers };
}

/**
 * Computes what an image may measure as on each platform it is for.
 * @throws CmcpError `MEASURE_INPUT_INVALID`, `MEASURE_NOT_PREDICTABLE`
 */
export async function measureImage({ name, version, sevSnp, tdx, tpm, ...paths }: ImageInputs): Promise<Measurements> {
  const kernel = await load(paths.kernel, "kernel", MAX_PE);
  const initrd = await digestFile(paths.initrd, "initrd", MAX_INITRD);
  const uki = paths.uki === undefined ? [] : [await load(paths.uki, "uki", MAX_PE)];
  const unified = uki.map(
    ({ content, file }): Boot => ({
      boot: "uki",
      commandLine: null,
      files: [file.name],
      variants: ukiVariants(content, ""),
    }),
  );
  const program = kernelProgram(kernel.content);
  const direct = (commandLine: string): Boot => {
    const variants = kernelVariants({ kernel: program, initrd, commandLine }, undefined);
    return { boot: "kernel", commandLine, files: [kernel.file.name, initrd.file.name], variants };
  };

  const files = [kernel.file, initrd.file, ...uki.map(({ file }) => file)];
  const accepted: AcceptedLaunch[] = [];
  if (sevSnp !== undefined) {
    const firmware = await load(sevSnp.firmware, "firmware", MAX_FIRMWARE);
    files.push(firmware.file);
    accepted.push(...sevSnpEntries(sevSnp, firmware, kernel, initrd));
  }
  if (tdx !== undefined) {
    const firmware = await load(tdx.firmware, "firmware", MAX_FIRMWARE);
    files.push(firmware.file);
    accepted.push(tdxEntry(firmware, direct(tdx.commandLine)));
  }
  if (tpm !== undefined) {
    const boots = [direct(tpm.commandLine), ...unified];
    accepted.push(...boots.flatMap((boot) => [tpmEntry(boot, "sha256"), tpmEntry(boot, "sha384")]));
  }
  return checkMeasurements({ format: MEASUREMENTS_FORMAT, image: { name, version, files }, accepted });
}
