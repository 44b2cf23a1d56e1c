import assert from "node:assert/strict";
import { test } from "node:test";
import { checkMachine, type Machine } from "./machine.ts";
import { qemuArguments, type Attachments } from "./qemu-arguments.ts";

const boot = { kernel: "/i/vmlinuz", initramfs: "/i/initramfs", commandLine: "console=null cmcp.platform=sev-snp" };
const vtpm: Machine = { platform: "vtpm", boot, firmware: { code: "/i/CODE.fd", variables: "/i/VARS.fd" }, memoryMegabytes: 512, processors: 2, processorModel: "EPYC", launchDigest: null };
const snp: Machine = { ...vtpm, platform: "sev-snp", firmware: { bios: "/i/OVMF.amdsev.fd" }, processors: 1, processorModel: "EPYC-v4", launchDigest: new Uint8Array(32).fill(0xab) };
const tdx: Machine = { ...vtpm, platform: "tdx", firmware: { bios: "/i/OVMF.fd" }, launchDigest: new Uint8Array(48).fill(0xcd) };
const none: Machine = { ...vtpm, platform: "none", firmware: null };
const alone: Attachments = { vsock: { cid: 7 }, tpm: null, variables: null, dataFolders: [] };

/** The value after an option. */
function valueOf(args: readonly string[], option: string): string | undefined {
  return args[args.indexOf(option) + 1];
}

test("every platform's machine passes", () => {
  for (const machine of [vtpm, snp, tdx, none, { ...vtpm, boot: { unified: "/i/cmcp.efi" } }]) checkMachine(machine);
});

test("a machine that could not start, or would measure as something else, is refused", () => {
  const wrong: Readonly<Record<string, Machine>> = {
    "too little memory": { ...none, memoryMegabytes: 511 },
    "too much memory": { ...none, memoryMegabytes: 70_000 },
    "half a megabyte": { ...none, memoryMegabytes: 512.5 },
    "no processor": { ...none, processors: 0 },
    "two processors without ACPI": { ...snp, processors: 2 },
    "a model that is an option": { ...none, processorModel: "-S" },
    "a relative path": { ...none, boot: { ...boot, kernel: "vmlinuz" } },
    "a comma, which QEMU reads as its own": { ...vtpm, firmware: { code: "/a,readonly=off", variables: "/v" } },
    "an empty command line": { ...none, boot: { ...boot, commandLine: "" } },
    "a command line with a newline": { ...none, boot: { ...boot, commandLine: "a\nb" } },
    "a command line the kernel would cut": { ...none, boot: { ...boot, commandLine: "x".repeat(2049) } },
    "no launch digest": { ...snp, launchDigest: null },
    "a launch digest of the wrong length": { ...tdx, launchDigest: new Uint8Array(32) },
    "a launch digest nothing carries": { ...vtpm, launchDigest: new Uint8Array(32) },
    "no firmware": { ...snp, firmware: null },
    "the wrong kind of firmware": { ...vtpm, firmware: { bios: "/i/OVMF.fd" } },
    "a unified image without a TPM": { ...none, boot: { unified: "/i/cmcp.efi" } },
  };
  for (const [what, machine] of Object.entries(wrong)) assert.throws(() => checkMachine(machine), { code: "LAUNCH_MACHINE_INVALID" }, what);
});

test("SEV-SNP: kernel hashes, the digest as HOST_DATA, and no debugging in the guest policy", () => {
  const args = qemuArguments(snp, "kvm", alone);
  assert.equal(valueOf(args, "-machine"), "q35,memory-backend=memory,confidential-guest-support=protection");
  assert.ok(args.includes(`sev-snp-guest,id=protection,cbitpos=51,reduced-phys-bits=1,policy=0x30000,kernel-hashes=on,host-data=${Buffer.alloc(32, 0xab).toString("base64")}`));
  assert.equal(valueOf(args, "-bios"), "/i/OVMF.amdsev.fd");
  assert.equal(valueOf(args, "-append"), boot.commandLine);
  assert.equal(valueOf(args, "-smp"), "1");
  // Bit 19 of the guest policy would let the host read the guest.
  assert.equal((0x30000 >> 19) & 1, 0);
});

test("TDX: the digest as MRCONFIGID and the host's quote generation service", () => {
  const args = qemuArguments(tdx, "kvm", alone);
  const object = args.find((word) => word.startsWith("{"));
  assert.deepEqual(JSON.parse(object ?? ""), { "qom-type": "tdx-guest", id: "protection", mrconfigid: Buffer.alloc(48, 0xcd).toString("base64"), "quote-generation-socket": { type: "vsock", cid: "2", port: "4050" } });
});

test("a TPM, flash with a private copy of the variables, and vsock through a daemon", () => {
  const args = qemuArguments(vtpm, "tcg", { vsock: { daemon: "/r/vhost" }, tpm: "/r/tpm", variables: "/r/variables.fd", dataFolders: ["/d"] });
  const line = args.join(" ");
  assert.ok(line.includes("if=pflash,format=raw,unit=0,readonly=on,file=/i/CODE.fd"));
  assert.ok(line.includes("if=pflash,format=raw,unit=1,file=/r/variables.fd"));
  assert.ok(line.includes("-chardev socket,id=vsock,path=/r/vhost -device vhost-user-vsock-pci,chardev=vsock,disable-legacy=on"));
  assert.ok(line.includes("-chardev socket,id=tpm,path=/r/tpm -tpmdev emulator,id=tpm,chardev=tpm -device tpm-crb,tpmdev=tpm"));
  assert.ok(line.startsWith("-L /d -nodefaults -no-user-config "));
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
