import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { findIsolation, hostHas, installedPrograms, kvmProblem } from "@cmcp/host-proxy";
import { SPAWNER, VSOCK_ADDON } from "../start/enclave-settings.ts";

/** Something that a machine may have. */
export interface MachineFinding {
  readonly what: string;
  readonly found: boolean;
  /** What was looked at, or found there. */
  readonly detail: string;
  /** What cMCP needs it for. */
  readonly neededFor: string;
  /** How to get it. */
  readonly advice: string;
}

/** Where to look; the machine's own places unless a test says otherwise. */
export interface Places {
  readonly sys: string;
  readonly dev: string;
  /** Folders of programs, as `PATH` lists them. */
  readonly path: string;
}

const THIS_MACHINE: Places = { sys: "/sys", dev: "/dev", path: process.env["PATH"] ?? "" };
/** First Node version with ML-KEM, which X-Wing is made with. */
const ML_KEM_NODE = [24, 7] as const;

function opens(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    // Absent and forbidden come to the same: it cannot be used.
    return false;
  }
}

function ofNode(): MachineFinding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return {
    what: "Node with ML-KEM",
    found: major > ML_KEM_NODE[0] || (major === ML_KEM_NODE[0] && minor >= ML_KEM_NODE[1]),
    detail: process.versions.node,
    neededFor: "sealed requests and auditors' keys with X-Wing; without it they use X25519",
    advice: "install cmcp with optional dependencies, which bring a Node, or Node 24.7 or newer",
  };
}

async function ofProcesses({ sys }: Places): Promise<MachineFinding[]> {
  const { isolation, prefix } = await findIsolation(true);
  return [
    {
      what: "user and network namespaces",
      found: isolation === "network-namespace",
      detail: prefix[0] ?? "unshare --user --net does not work",
      neededFor: "launcher process outside development, and confined stdio servers",
      advice:
        "install util-linux; allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, or on Ubuntu " +
        "kernel.apparmor_restrict_unprivileged_userns=0; in a container, a seccomp profile that allows unshare",
    },
    {
      what: "spawner of stdio servers",
      found: existsSync(SPAWNER),
      detail: SPAWNER,
      neededFor: "confined stdio servers",
      advice: "build where there is a C compiler that makes static programs (packages gcc, libc6-dev): make build",
    },
    {
      what: "cgroup v2",
      found: existsSync(join(sys, "fs/cgroup/cgroup.controllers")),
      detail: join(sys, "fs/cgroup"),
      neededFor: "the limits of a systemd unit or container around cmcp (MemoryMax=); cmcp itself makes no cgroup",
      advice: "start the kernel with systemd.unified_cgroup_hierarchy=1",
    },
  ];
}

function ofMachines({ sys, dev, path }: Places): MachineFinding[] {
  const programs = installedPrograms(path);
  const program = (what: string, name: "qemu" | "swtpm" | "vsockDaemon", neededFor: string, debian: string) => ({
    what,
    found: programs[name] !== null,
    detail: programs[name]?.[0] ?? "not in PATH",
    neededFor,
    advice: `install the package ${debian}`,
  });
  const kvm = kvmProblem(join(dev, "kvm"));
  return [
    program("QEMU", "qemu", "launcher qemu", "qemu-system-x86"),
    program("software TPM", "swtpm", "launcher qemu with a virtual TPM", "swtpm"),
    program("vsock daemon", "vsockDaemon", "launcher qemu without qemu.cid", "vhost-device-vsock"),
    {
      what: "KVM",
      found: kvm === null,
      detail: join(dev, "kvm"),
      neededFor: "SEV-SNP and TDX machines; without it others are emulated, which is slow",
      advice: kvm ?? "",
    },
    {
      what: "vsock of the kernel",
      found: opens(join(dev, "vhost-vsock")) && existsSync(VSOCK_ADDON),
      detail: `${join(dev, "vhost-vsock")}, ${VSOCK_ADDON}`,
      neededFor: "qemu.cid and vsock.cid",
      advice: "modprobe vhost_vsock, allow this user to open the device, and build the addon: make build",
    },
    {
      what: "SEV-SNP host",
      found: hostHas("sev-snp", { sys, dev }),
      detail: `${join(sys, "module/kvm_amd/parameters/sev_snp")}, ${join(dev, "sev")}`,
      neededFor: "launcher qemu with attestation.provider sev-snp",
      advice: "an EPYC of the 7003 series or later with SEV-SNP on in its firmware, and a kernel of 6.11 or later",
    },
    {
      what: "TDX host",
      found: hostHas("tdx", { sys, dev }),
      detail: join(sys, "module/kvm_intel/parameters/tdx"),
      neededFor: "launcher qemu with attestation.provider tdx",
      advice: "a Xeon with TDX on in its firmware, a kernel of 6.16 or later, and kvm_intel.tdx=1",
    },
  ];
}

function ofEvidence({ dev }: Places): MachineFinding[] {
  const device = (what: string, names: readonly string[], provider: string, advice: string): MachineFinding => {
    const paths = names.map((name) => join(dev, name));
    const found = paths.find(opens);
    return {
      what,
      found: found !== undefined,
      detail: found ?? paths.join(", "),
      neededFor: `launcher process with attestation.provider ${provider}`,
      advice,
    };
  };
  return [
    device("SEV-SNP guest", ["sev-guest"], "sev-snp", "run cmcp inside a SEV-SNP machine, and modprobe sev_guest"),
    device("TDX guest", ["tdx_guest"], "tdx", "run cmcp inside a TDX machine, and modprobe tdx_guest"),
    device(
      "TPM",
      ["tpmrm0", "tpm0"],
      "tpm or azure-cvm",
      "a TPM 2.0, and this user in the group that owns its device (tss)",
    ),
  ];
}

/** What a machine has of all that some way of running cMCP needs. Nothing is changed; `unshare` is tried once. */
export async function examineMachine(places: Places = THIS_MACHINE): Promise<readonly MachineFinding[]> {
  return [ofNode(), ...(await ofProcesses(places)), ...ofEvidence(places), ...ofMachines(places)];
}
