import type { Machine } from "./machine.ts";

/** How the guest's instructions run. */
export type Accelerator = "kvm" | "tcg";

/** The sockets of the programs beside QEMU. */
export interface CompanionSockets {
  /** vhost-user socket of a vsock daemon, or the CID the kernel's own vsock gives the guest. */
  readonly vsock: { readonly daemon: string } | { readonly cid: number };
  /** Control socket of the software TPM. */
  readonly tpm: string | null;
  /** Writable copy of the firmware's variables. */
  readonly variables: string | null;
  /** Folders with QEMU's own firmware files, where they are not at their usual place. */
  readonly dataFolders: readonly string[];
  /** Unix socket of the quote generation service; its vsock port when absent. */
  readonly quoteGenerationSocket?: string | undefined;
}

/** AMD's ABI in the guest policy: bit 17 is always one, bit 16 allows SMT on the host (SEV-SNP ABI 56860, table 9). */
const SNP_POLICY = "0x30000";
/** The C-bit of SEV on every processor that has SNP, and the address bits it costs. */
const SNP_C_BIT = "cbitpos=51,reduced-phys-bits=1";
/** Where QEMU asks for TDX quotes when nothing else is said: the quote generation service's vsock port on the host. */
const QUOTE_GENERATION = { type: "vsock", cid: "2", port: "4050" } as const;
/**
 * The processor of a machine for which none is named: the host's own, or under emulation one that SEV-SNP images run
 * on.
 */
const PROCESSOR: Readonly<Record<Accelerator, string>> = { kvm: "host", tcg: "EPYC" };

/** QEMU's arguments for a machine. Nothing but what the image needs: no default device, no monitor, no network. */
export function qemuArguments(machine: Machine, accelerator: Accelerator, attached: CompanionSockets): string[] {
  return [
    attached.dataFolders.flatMap((folder) => ["-L", folder]),
    ["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot"],
    ["-accel", accelerator === "tcg" ? "tcg,thread=multi" : "kvm"],
    [
      "-cpu",
      machine.processorModel ?? PROCESSOR[accelerator],
      "-smp",
      String(machine.processors),
      "-m",
      `${machine.memoryMegabytes}M`,
    ],
    // Shared, because a vsock daemon moves the bytes of the guest's queues itself.
    ["-object", `memory-backend-memfd,id=memory,size=${machine.memoryMegabytes}M,share=on`],
    protection(machine, attached),
    firmware(machine, attached),
    boot(machine),
    vsock(attached),
    tpm(attached),
    // An image without a console writes nothing here.
    ["-serial", "stdio"],
  ].flat();
}

function protection({ platform, launchDigest }: Machine, { quoteGenerationSocket: path }: CompanionSockets): string[] {
  const base64 = Buffer.from(launchDigest ?? []).toString("base64");
  switch (platform) {
    case "sev-snp":
      return [
        "-machine",
        "q35,memory-backend=memory,confidential-guest-support=protection",
        "-object",
        `sev-snp-guest,id=protection,${SNP_C_BIT},policy=${SNP_POLICY},kernel-hashes=on,host-data=${base64}`,
      ];
    case "tdx": {
      const guest = {
        "qom-type": "tdx-guest",
        id: "protection",
        mrconfigid: base64,
        "quote-generation-socket": path === undefined ? QUOTE_GENERATION : { type: "unix", path },
      };
      return [
        "-machine",
        "q35,memory-backend=memory,kernel-irqchip=split,confidential-guest-support=protection",
        "-object",
        JSON.stringify(guest),
      ];
    }
    case "vtpm":
    case "none":
      return ["-machine", "q35,memory-backend=memory"];
  }
}

function firmware({ firmware }: Machine, { variables }: CompanionSockets): string[] {
  if (firmware === null) return [];
  if ("bios" in firmware) return ["-bios", firmware.bios];
  return [
    "-drive",
    `if=pflash,format=raw,unit=0,readonly=on,file=${firmware.code}`,
    "-drive",
    `if=pflash,format=raw,unit=1,file=${variables ?? firmware.variables}`,
  ];
}

function boot({ boot }: Machine): string[] {
  if ("unified" in boot) return ["-kernel", boot.unified];
  return ["-kernel", boot.kernel, "-initrd", boot.initramfs, "-append", boot.commandLine];
}

/** `disable-legacy` leaves the one form of virtio that a confidential guest accepts. */
function vsock({ vsock }: CompanionSockets): string[] {
  if ("cid" in vsock) return ["-device", `vhost-vsock-pci,guest-cid=${vsock.cid},disable-legacy=on`];
  return [
    "-chardev",
    `socket,id=vsock,path=${vsock.daemon}`,
    "-device",
    "vhost-user-vsock-pci,chardev=vsock,disable-legacy=on",
  ];
}

function tpm({ tpm }: CompanionSockets): string[] {
  return tpm === null
    ? []
    : [
        "-chardev",
        `socket,id=tpm,path=${tpm}`,
        "-tpmdev",
        "emulator,id=tpm,chardev=tpm",
        "-device",
        "tpm-crb,tpmdev=tpm",
      ];
}
