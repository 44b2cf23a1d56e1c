/** What a booted image lets its runtime have and do, as the runtime itself sees it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Machine } from "../../host-proxy/src/launcher/qemu/machine.ts";
import type { Facts } from "./guest/confinement.ts";
import { debugMachine, published, started, temporaryFolder } from "./image.ts";
import { writeOverlaid } from "./overlay.ts";
import { guestReport } from "./report.ts";

/** The initramfs unpacked, and what runs in it; docs say 256 MB at rest. */
const MAX_USED = 256 * 1024 * 1024;
/** Every file system, and whether anything in it may be changed through it. */
const MOUNTS = {
  "/": "ro",
  "/usr": "ro",
  "/run": "ro",
  "/dev": "rw",
  "/proc": "rw",
  "/sys": "rw",
  "/sys/fs/cgroup": "rw",
  "/sys/kernel/security": "rw",
} as const;
const SETTINGS = {
  "kernel/modules_disabled": "1",
  "kernel/kexec_load_disabled": "1",
  "kernel/yama/ptrace_scope": "3",
  "kernel/kptr_restrict": "2",
  "kernel/dmesg_restrict": "1",
  "kernel/perf_event_paranoid": "3",
  "kernel/unprivileged_bpf_disabled": "1",
  "kernel/io_uring_disabled": "2",
  "user/max_user_namespaces": "0",
  "kernel/sysrq": "0",
  "kernel/panic": "-1",
  "kernel/panic_on_oops": "1",
  "vm/panic_on_oom": "1",
} as const;

/** Where PID 1 has its settings. */
const INIT = join(import.meta.dirname, "../../enclave-image/native/init.c");

test("every setting of PID 1 has a reason before it and is looked at here", () => {
  const [, table = ""] =
    /static const char \*const settings\[\]\[2\] = \{\n(.*?)\n  \};/s.exec(readFileSync(INIT, "utf8")) ?? [];
  const settings = Object.fromEntries(
    [...table.matchAll(/\{"\/proc\/sys\/([^"]+)", "([^"]+)"\},/g)].map(([, name = "", value = ""]) => [name, value]),
  );
  // `kernel/panic` comes from the command line.
  const { "kernel/panic": _, ...own } = SETTINGS;
  assert.deepEqual(settings, own);
  assert.match(table.trimStart(), /^\/\* /, "the first reason stands before the first setting");
});

/** As the SEV-SNP image boots: the kernel sees no ACPI and one processor, though the host gives it two. */
function withoutAcpi(machine: Machine): Machine {
  if ("unified" in machine.boot) return machine;
  return {
    ...machine,
    processors: 2,
    boot: { ...machine.boot, commandLine: `acpi=off nr_cpus=1 ${machine.boot.commandLine}` },
  };
}

const SHAPES = [
  { name: "with ACPI", shape: (machine: Machine) => machine, hostsInputs: ["/sys/firmware/acpi"] },
  { name: "as on SEV-SNP, without ACPI", shape: withoutAcpi, hostsInputs: [] },
] as const;

for (const { name, shape, hostsInputs } of SHAPES) {
  test(`the runtime is confined, ${name}`, async (t) => {
    const folder = temporaryFolder(t);
    const initramfs = join(folder, "initramfs");
    await writeOverlaid(published("initramfs.cpio.zst"), { scripts: { "enclave.cjs": "confinement.ts" } }, initramfs);
    const machine = await started(t, shape(debugMachine("none", initramfs)), folder);
    const facts = (await guestReport(machine.dialer)) as Facts;

    await t.test("it is nobody: no uid 0, no group, no capability, none to be had", () => {
      assert.deepEqual(facts.user, [10001, 10001, 10001, 10001]);
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
        assert.equal(facts.status[set], "0000000000000000", set);
      assert.equal(facts.status["NoNewPrivs"], "1");
      assert.equal(facts.status["Groups"]?.trim(), "");
    });
    await t.test("its system calls are filtered and its resources bounded", () => {
      assert.equal(facts.status["Seccomp"], "2");
      assert.match(facts.limits, /^Max core file size +0 +0 /m);
      assert.match(facts.limits, /^Max open files +4096 +4096 /m);
      assert.match(facts.limits, /^Max processes +64 +64 /m);
    });
    await t.test("it is told where to listen and what the machine was started as, and nothing else", () => {
      assert.deepEqual(facts.environment, {
        CMCP_ENCLAVE_LISTEN: "vsock:5000",
        CMCP_HOST_SERVICES: "vsock:2:6000",
        CMCP_VSOCK_ADDON: "/lib/cmcp/vsock.node",
        CMCP_SPAWN_SOCKET: "/run/cmcp/spawn.sock",
        CMCP_IMAGE_PLATFORM: "none",
      });
    });
    await t.test("there is no network: no interface, no socket but vsock and those of files", () => {
      assert.deepEqual(facts.interfaces, []);
      assert.deepEqual(facts.network, {
        tcp: "EAFNOSUPPORT",
        tcp6: "EAFNOSUPPORT",
        unix: "ENOENT",
        udp: "EAFNOSUPPORT",
      });
    });
    await t.test("nothing can be written where files are, and no program started from elsewhere", () => {
      assert.deepEqual(
        Object.fromEntries(Object.entries(facts.mounts).map(([point, { options }]) => [point, options[0]])),
        MOUNTS,
      );
      for (const [point, { options }] of Object.entries(facts.mounts)) {
        assert.ok(options.includes("nosuid"), point);
        if (point !== "/" && point !== "/usr") assert.ok(options.includes("noexec"), point);
      }
    });
    await t.test("the kernel is closed behind it", () => {
      assert.deepEqual(facts.settings, SETTINGS);
      assert.match(facts.lockdown, /\[confidentiality\]/);
      assert.deepEqual(facts.modules.toSorted(), [
        "erofs",
        "libcrc32c",
        "vmw_vsock_virtio_transport",
        "vmw_vsock_virtio_transport_common",
        "vsock",
      ]);
      assert.deepEqual(facts.processes, [facts.status["Pid"]], "it sees no process but itself");
    });
    await t.test(
      "the host hands it no random numbers and no configuration, and without ACPI no tables and no second processor",
      () => {
        assert.deepEqual(facts.hostsInputs, hostsInputs);
        assert.equal(facts.randomSources, "none");
        assert.equal(facts.processors, 1);
      },
    );
    await t.test("it fits into the memory that is promised", () => {
      assert.ok(facts.memory.used <= MAX_USED, `${facts.memory.used} bytes are in use`);
      t.diagnostic(
        `resident ${Math.round(facts.memory.resident / 1e6)} MB, machine ${Math.round(facts.memory.used / 1e6)} MB, script after ${facts.uptime} s`,
      );
    });
  });
}
