import assert from "node:assert/strict";
import { test } from "node:test";
import { checkMachine, type Machine } from "./machine.ts";
import { qemuArguments, type CompanionSockets } from "./qemu-arguments.ts";

const boot = { kernel: "/i/vmlinuz", initramfs: "/i/initramfs", commandLine: "console=null cmcp.platform=sev-snp" };
const vtpm: Machine = {
  platform: "vtpm",
  boot,
  firmware: { code: "/i/CODE.fd", variables: "/i/VARS.fd" },
  memoryMegabytes: 512,
  processors: 2,
  processorModel: "EPYC",
  launchDigest: null,
};
const snp: Machine = {
  ...vtpm,
  platform: "sev-snp",
  firmware: { bios: "/i/OVMF.amdsev.fd" },
  processors: 1,
  processorModel: "EPYC-v4",
  launchDigest: new Uint8Array(32).fill(0xab),
};
const tdx: Machine = {
  ...vtpm,
  platform: "tdx",
  firmware: { bios: "/i/OVMF.fd" },
  launchDigest: new Uint8Array(48).fill(0xcd),
};
const none: Machine = { ...vtpm, platform: "none", firmware: null };
const alone: CompanionSockets = { vsock: { cid: 7 }, tpm: null, variables: null, dataFolders: [] };

/** The value after an option. */
function valueOf(args: readonly string[], option: string): string | undefined {
  return args[args.indexOf(option) + 1];
}

test("every platform's machine passes", () => {
  for (const machine of [vtpm, snp, tdx, none, { ...vtpm, boot: { unified: "/i/cmcp.efi" } }]) checkMachine(machine);
  // The kernel keeps 2047 characters, of which firmware takes 14.
  checkMachine({ ...none, boot: { ...boot, commandLine: "x".repeat(2047) } });
  checkMachine({ ...vtpm, boot: { ...boot, commandLine: "x".repeat(2033) } });
});

test("a machine that could not start, or would measure as something else, is refused", () => {
  const wrong: Readonly<Record<string, Machine>> = {
    "too little memory": { ...none, memoryMegabytes: 511 },
    "too much memory": { ...none, memoryMegabytes: 70_000 },
    "half a megabyte": { ...none, memoryMegabytes: 512.5 },
    "no processor": { ...none, processors: 0 },
    "two processors without ACPI": { ...snp, processors: 2 },
    "a model that is an option": { ...none, processorModel: "-S" },
    "no model where it is measured": { ...snp, processorModel: null },
    "a relative path": { ...none, boot: { ...boot, kernel: "vmlinuz" } },
    "a comma, which QEMU reads as its own": { ...vtpm, firmware: { code: "/a,readonly=off", variables: "/v" } },
    "an empty command line": { ...none, boot: { ...boot, commandLine: "" } },
    "a command line with a newline": { ...none, boot: { ...boot, commandLine: "a\nb" } },
    "a command line the kernel would cut": { ...none, boot: { ...boot, commandLine: "x".repeat(2048) } },
    "a command line the kernel would cut with what firmware puts before it": {
      ...vtpm,
      boot: { ...boot, commandLine: "x".repeat(2034) },
    },
    "no launch digest": { ...snp, launchDigest: null },
    "a launch digest of the wrong length": { ...tdx, launchDigest: new Uint8Array(32) },
    "a launch digest nothing carries": { ...vtpm, launchDigest: new Uint8Array(32) },
    "no firmware": { ...snp, firmware: null },
    "the wrong kind of firmware": { ...vtpm, firmware: { bios: "/i/OVMF.fd" } },
    "a unified image without a TPM": { ...none, boot: { unified: "/i/cmcp.efi" } },
  };
  for (const [what, machine] of Object.entries(wrong))
    assert.throws(() => checkMachine(machine), { code: "LAUNCH_MACHINE_INVALID" }, what);
});

/** What every machine has, and nothing more (QEMU's manual, "Invocation"). */
const BARE = ["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot"];

test("SEV-SNP: kernel hashes, the digest as HOST_DATA, and no debugging in the guest policy", () => {
  // QEMU's manual, "AMD Secure Encrypted Virtualization": sev-snp-guest, whose blobs are base64.
  assert.deepEqual(
    qemuArguments(snp, "kvm", alone),
    [
      BARE,
      ["-accel", "kvm", "-cpu", "EPYC-v4", "-smp", "1", "-m", "512M"],
      ["-object", "memory-backend-memfd,id=memory,size=512M,share=on"],
      ["-machine", "q35,memory-backend=memory,confidential-guest-support=protection"],
      [
        "-object",
        `sev-snp-guest,id=protection,cbitpos=51,reduced-phys-bits=1,policy=0x30000,kernel-hashes=on,host-data=${"q6ur".repeat(10)}q6s=`,
      ],
      ["-bios", "/i/OVMF.amdsev.fd"],
      ["-kernel", "/i/vmlinuz", "-initrd", "/i/initramfs", "-append", boot.commandLine],
      ["-device", "vhost-vsock-pci,guest-cid=7,disable-legacy=on"],
      ["-serial", "stdio"],
    ].flat(),
  );
  // Bit 19 of the guest policy would let the host read the guest.
  assert.equal((0x30000 >> 19) & 1, 0);
});

test("TDX: the digest as MRCONFIGID, a split interrupt controller, and the host's quote generation service", () => {
  // QEMU's manual, "Intel Trusted Domain eXtension": tdx-guest is given as JSON, as its socket is a structure.
  const object = (socket: object): string =>
    JSON.stringify({
      "qom-type": "tdx-guest",
      id: "protection",
      mrconfigid: "zc3N".repeat(16),
      "quote-generation-socket": socket,
    });
  const expected = (socket: object): string[] =>
    [
      BARE,
      ["-accel", "kvm", "-cpu", "host", "-smp", "2", "-m", "512M"],
      ["-object", "memory-backend-memfd,id=memory,size=512M,share=on"],
      ["-machine", "q35,memory-backend=memory,kernel-irqchip=split,confidential-guest-support=protection"],
      ["-object", object(socket)],
      ["-bios", "/i/OVMF.fd"],
      ["-kernel", "/i/vmlinuz", "-initrd", "/i/initramfs", "-append", boot.commandLine],
      ["-device", "vhost-vsock-pci,guest-cid=7,disable-legacy=on"],
      ["-serial", "stdio"],
    ].flat();
  const machine = { ...tdx, processorModel: null };
  assert.deepEqual(qemuArguments(machine, "kvm", alone), expected({ type: "vsock", cid: "2", port: "4050" }));
  assert.deepEqual(
    qemuArguments(machine, "kvm", { ...alone, quoteGenerationSocket: "/run/qgs" }),
    expected({ type: "unix", path: "/run/qgs" }),
  );
});

test("a machine with a TPM: flash with a private copy of the variables, and vsock through a daemon", () => {
  assert.deepEqual(
    qemuArguments({ ...vtpm, processorModel: null }, "tcg", {
      vsock: { daemon: "/r/vhost" },
      tpm: "/r/tpm",
      variables: "/r/variables.fd",
      dataFolders: ["/d"],
    }),
    [
      ["-L", "/d"],
      BARE,
      ["-accel", "tcg,thread=multi", "-cpu", "EPYC", "-smp", "2", "-m", "512M"],
      ["-object", "memory-backend-memfd,id=memory,size=512M,share=on"],
      ["-machine", "q35,memory-backend=memory"],
      [
        "-drive",
        "if=pflash,format=raw,unit=0,readonly=on,file=/i/CODE.fd",
        "-drive",
        "if=pflash,format=raw,unit=1,file=/r/variables.fd",
      ],
      ["-kernel", "/i/vmlinuz", "-initrd", "/i/initramfs", "-append", boot.commandLine],
      ["-chardev", "socket,id=vsock,path=/r/vhost", "-device", "vhost-user-vsock-pci,chardev=vsock,disable-legacy=on"],
      [
        "-chardev",
        "socket,id=tpm,path=/r/tpm",
        "-tpmdev",
        "emulator,id=tpm,chardev=tpm",
        "-device",
        "tpm-crb,tpmdev=tpm",
      ],
      ["-serial", "stdio"],
    ].flat(),
  );
});

test("no machine has a network, a random device, fw_cfg files of its own or a monitor", () => {
  for (const machine of [vtpm, snp, tdx, none]) {
    const line = qemuArguments(machine, "tcg", alone).join(" ");
    assert.doesNotMatch(line, /netdev|virtio-net|virtio-rng|-fw_cfg|-qmp|-gdb|-monitor (?!none)/);
    assert.match(line, /-no-reboot/);
  }
});

test("a unified image is started as a kernel alone", () => {
  const args = qemuArguments({ ...vtpm, boot: { unified: "/i/cmcp.efi" } }, "tcg", alone);
  assert.equal(valueOf(args, "-kernel"), "/i/cmcp.efi");
  assert.ok(!args.includes("-initrd") && !args.includes("-append"));
});
