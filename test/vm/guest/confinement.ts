/** Runs inside the guest in place of the enclave: tells the host what the runtime has, may and cannot. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { cpus, networkInterfaces } from "node:os";
import { HOST_CID, loadVsockAddon } from "@cmcp/wire";
import { report } from "./report.ts";

const SETTINGS = [
  "kernel/modules_disabled",
  "kernel/kexec_load_disabled",
  "kernel/yama/ptrace_scope",
  "kernel/kptr_restrict",
  "kernel/dmesg_restrict",
  "kernel/perf_event_paranoid",
  "kernel/unprivileged_bpf_disabled",
  "kernel/io_uring_disabled",
  "user/max_user_namespaces",
  "kernel/sysrq",
  "kernel/panic",
  "kernel/panic_on_oops",
  "vm/panic_on_oom",
] as const;

/** What a host hands to a guest: ACPI tables, and files by QEMU's configuration device. */
const HOSTS_INPUTS = ["/sys/firmware/acpi", "/sys/firmware/qemu_fw_cfg"] as const;

/** What the confinement test asks of a guest. */
export interface Facts {
  readonly user: readonly (number | undefined)[];
  /** Lines of `/proc/self/status`. */
  readonly status: Readonly<Record<string, string>>;
  readonly limits: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly interfaces: readonly string[];
  /** The error of each way to reach a network. */
  readonly network: Readonly<Record<string, string>>;
  /** Mount points with their type and options. */
  readonly mounts: Readonly<Record<string, { type: string; options: string[] }>>;
  readonly settings: Readonly<Record<string, string>>;
  readonly modules: readonly string[];
  readonly commandLine: string;
  readonly lockdown: string;
  readonly devices: readonly string[];
  /** Those of {@link HOSTS_INPUTS} that are there. */
  readonly hostsInputs: readonly string[];
  /** Devices that feed the kernel's random generator beside the processor. */
  readonly randomSources: string;
  readonly processors: number;
  /** Folders in `/proc` that are processes this one may see. */
  readonly processes: readonly string[];
  /** Resident bytes of this process, and what of the machine's memory is in use. */
  readonly memory: { readonly resident: number; readonly used: number };
  /** Seconds from the kernel's start until this script ran. */
  readonly uptime: number;
}

const text = (path: string): string => readFileSync(path, "utf8");

async function refusals(): Promise<Record<string, string>> {
  const codeOf = async (attempt: () => NodeJS.EventEmitter): Promise<string> => {
    try {
      const [error] = (await once(attempt(), "error")) as [NodeJS.ErrnoException];
      return error.code ?? error.message;
    } catch (thrown) {
      return (thrown as NodeJS.ErrnoException).code ?? String(thrown);
    }
  };
  return {
    tcp: await codeOf(() => connect({ host: "127.0.0.1", port: 1 })),
    tcp6: await codeOf(() => connect({ host: "::1", port: 1 })),
    unix: await codeOf(() => connect({ path: "/run/nobody" })),
    udp: await codeOf(() => createSocket("udp4").bind(0)),
  };
}

async function facts(): Promise<Facts> {
  const status = Object.fromEntries(
    text("/proc/self/status")
      .split("\n")
      .map((line) => line.split(":\t") as [string, string]),
  );
  const meminfo = Object.fromEntries(
    text("/proc/meminfo")
      .split("\n")
      .map((line) => [line.split(":")[0] ?? "", Number(/\d+/.exec(line)?.[0] ?? 0) * 1024]),
  );
  return {
    user: [process.getuid?.(), process.geteuid?.(), process.getgid?.(), ...(process.getgroups?.() ?? [])],
    status,
    limits: text("/proc/self/limits"),
    environment: { ...process.env },
    interfaces: Object.keys(networkInterfaces()),
    network: await refusals(),
    mounts: Object.fromEntries(
      text("/proc/mounts")
        .trim()
        .split("\n")
        .map((line) => line.split(" "))
        .map(([, point = "", type = "", options = ""]) => [point, { type, options: options.split(",") }]),
    ),
    settings: Object.fromEntries(SETTINGS.map((name) => [name, text(`/proc/sys/${name}`).trim()])),
    modules: text("/proc/modules")
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0] ?? ""),
    commandLine: text("/proc/cmdline").trim(),
    lockdown: text("/sys/kernel/security/lockdown").trim(),
    devices: readdirSync("/dev"),
    hostsInputs: HOSTS_INPUTS.filter((path) => existsSync(path)),
    randomSources: text("/sys/class/misc/hw_random/rng_available").trim(),
    processors: cpus().length,
    processes: readdirSync("/proc").filter((name) => /^\d+$/.test(name)),
    memory: { resident: process.memoryUsage().rss, used: (meminfo["MemTotal"] ?? 0) - (meminfo["MemAvailable"] ?? 0) },
    uptime: Number(text("/proc/uptime").split(" ")[0]),
  };
}

report(
  loadVsockAddon(process.env["CMCP_VSOCK_ADDON"] ?? ""),
  facts().catch((error: unknown) => String(error)),
  HOST_CID,
);
