import { createHash } from "node:crypto";
import { CmcpError } from "@cmcp/boundary";
import {
  CPU_TYPE_NAMES,
  digestInput,
  MAX_FIRMWARE,
  MAX_INITRD,
  readInput,
  snpFirmwareDigest,
  snpLaunchDigest,
  snpProcessorPages,
  svsmLaunchDigest,
  svsmProcessorPage,
  VMM_TYPES,
  type SnpLaunch,
  type SvsmLaunch,
} from "@cmcp/measure";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { replaceFiles } from "../replace-file.ts";
import { readInteger, readSha384 } from "./numbers.ts";
import { readVcpu, VCPU_OPTIONS } from "./vcpu.ts";

const OPTIONS = {
  ...VCPU_OPTIONS,
  mode: { type: "string", default: "snp" },
  vcpus: { type: "string" },
  ovmf: { type: "string" },
  kernel: { type: "string" },
  initrd: { type: "string" },
  append: { type: "string" },
  "guest-features": { type: "string", default: "0x1" },
  "vmm-type": { type: "string", default: "QEMU" },
  "snp-ovmf-hash": { type: "string" },
  svsm: { type: "string" },
  "vars-size": { type: "string" },
  "vars-file": { type: "string" },
  "dump-vmsa": { type: "boolean", default: false },
  "output-format": { type: "string", default: "hex" },
  json: { type: "boolean", default: false },
} as const;
type Values = ReturnType<typeof readArguments<typeof OPTIONS>>["values"];

/** A digest with the save areas that are in it. */
interface Measured {
  readonly digest: string;
  readonly processors: () => Iterable<Uint8Array>;
}

async function kernelHashes({ kernel, initrd, append }: Values): Promise<Pick<SnpLaunch, "kernel">> {
  if (kernel === undefined) {
    if (initrd !== undefined || append !== undefined)
      throw new CmcpError("USAGE", "--initrd and --append need --kernel");
    return {};
  }
  const { digest } = await digestInput(kernel, "kernel", MAX_INITRD);
  const ramdisk =
    initrd === undefined
      ? createHash("sha256").digest()
      : (await digestInput(initrd, "initrd", MAX_INITRD)).digest.sha256;
  return { kernel: { kernel: digest.sha256, initrd: ramdisk, commandLine: append ?? "" } };
}

async function measureSnp(values: Values, firmware: Uint8Array): Promise<Measured> {
  const vmm = VMM_TYPES.find((type) => type === values["vmm-type"]);
  if (vmm === undefined) throw new CmcpError("USAGE", `--vmm-type is one of ${VMM_TYPES.join(", ")}`);
  const hash = values["snp-ovmf-hash"];
  const launch: SnpLaunch = {
    firmware,
    vcpus: readInteger(required(values.vcpus, "--vcpus"), "--vcpus"),
    cpuSignature: readVcpu(values, vmm),
    features: BigInt(readInteger(values["guest-features"], "--guest-features")),
    vmm,
    ...(hash === undefined ? {} : { firmwareDigest: readSha384(hash, "--snp-ovmf-hash") }),
    ...(await kernelHashes(values)),
  };
  return { digest: snpLaunchDigest(launch), processors: () => snpProcessorPages(launch) };
}

async function measureSvsm(values: Values, firmware: Uint8Array): Promise<Measured> {
  const stray = (["kernel", "initrd", "append", "snp-ovmf-hash"] as const).find(
    (option) => values[option] !== undefined,
  );
  if (stray !== undefined) throw new CmcpError("USAGE", `--${stray} is not for snp:svsm`);
  if (values["vmm-type"] !== "QEMU" || BigInt(readInteger(values["guest-features"], "--guest-features")) !== 1n)
    throw new CmcpError("USAGE", "snp:svsm is known for QEMU and guest features 0x1 only");
  const { "vars-size": size, "vars-file": file } = values;
  if ((size === undefined) === (file === undefined))
    throw new CmcpError("USAGE", "snp:svsm needs --vars-size or --vars-file");
  const varsSize =
    file === undefined
      ? readInteger(required(size, "--vars-size"), "--vars-size")
      : (await digestInput(file, "variable store", MAX_FIRMWARE)).bytes;
  const svsm = await readInput(required(values.svsm, "--svsm"), "SVSM", MAX_FIRMWARE);
  const launch: SvsmLaunch = {
    firmware,
    svsm,
    varsSize,
    vcpus: readInteger(required(values.vcpus, "--vcpus"), "--vcpus"),
    cpuSignature: readVcpu(values, "QEMU"),
  };
  return {
    digest: svsmLaunchDigest(launch),
    processors: () => Array.from({ length: launch.vcpus }, () => svsmProcessorPage(launch)),
  };
}

function measure(values: Values, firmware: Uint8Array): Promise<Measured> | Measured {
  switch (values.mode) {
    case "snp":
      return measureSnp(values, firmware);
    case "snp:svsm":
      return measureSvsm(values, firmware);
    case "snp:ovmf-hash":
      return { digest: snpFirmwareDigest(firmware), processors: () => [] };
    default:
      throw new CmcpError(
        "USAGE",
        "--mode is snp, snp:ovmf-hash or snp:svsm; launches before SEV-SNP are not computed",
      );
  }
}

/** `cmcp measure sev-snp` */
export const measureSevSnp: Command = {
  help: `Usage: cmcp measure sev-snp --ovmf FILE --vcpus N --vcpu-type TYPE [options]

Computes the launch digest of a SEV-SNP guest (MEASUREMENT of its reports) from the files alone. Options are
named as those of sev-snp-measure. In the digest are the firmware, the first state of every virtual processor
and, with --kernel, kernel, initrd and command line. Not in it: memory size, ACPI tables, disks, HOST_DATA,
the guest policy.

  --mode MODE            snp (default), snp:ovmf-hash (digest after the firmware alone), snp:svsm
  --ovmf FILE            firmware with SEV metadata
  --vcpus N              number of virtual processors
  --vcpu-type TYPE       QEMU's -cpu: ${CPU_TYPE_NAMES.slice(0, 4).join(", ")} …
  --vcpu-sig VALUE       its CPUID signature instead
  --vcpu-family N --vcpu-model N --vcpu-stepping N  its parts instead
  --kernel FILE          what QEMU boots with kernel-hashes=on; --initrd FILE and --append TEXT go with it
  --guest-features BITS  SEV_FEATURES; 0x1 by default, 0x21 on hosts with debug swap
  --vmm-type TYPE        ${VMM_TYPES.join(", ")}; QEMU by default
  --snp-ovmf-hash HEX    digest after the firmware, instead of computing it from --ovmf
  --svsm FILE            with snp:svsm: the SVSM; --vars-size BYTES or --vars-file FILE go with it
  --dump-vmsa            also write the processors' save areas to vmsa0.bin, vmsa1.bin …
  --output-format FORM   hex (default) or base64
  --json                 one line: ok, platform, mode, measurement

Exit codes: 0 computed, 10 a file is not valid, 64 usage.
Example:    cmcp measure sev-snp --ovmf OVMF.amdsev.fd --vcpus 1 --vcpu-type EPYC-v4 --kernel vmlinuz --initrd initrd.img --append acpi=off
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    const format = values["output-format"];
    if (format !== "hex" && format !== "base64") throw new CmcpError("USAGE", "--output-format is hex or base64");
    const { digest, processors } = await measure(
      values,
      await readInput(required(values.ovmf, "--ovmf"), "firmware", MAX_FIRMWARE),
    );
    if (values["dump-vmsa"])
      await replaceFiles([...processors()].map((content, index) => ({ path: `vmsa${index}.bin`, content })));
    const measurement = format === "hex" ? digest : Buffer.from(digest, "hex").toString("base64");
    out.write(
      values.json
        ? `${JSON.stringify({ ok: true, platform: "sev-snp", mode: values.mode, measurement })}\n`
        : `${measurement}\n`,
    );
    return EXIT.ok;
  },
};
