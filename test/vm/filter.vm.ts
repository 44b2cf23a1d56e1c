/** The system call filter by itself, with a program that tries what an attacker in the runtime would. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compileStatic } from "../../enclave-image/src/build/native.ts";
import { temporaryFolder, toolchain } from "./image.ts";

const { ENOSYS, EPERM, EAFNOSUPPORT, ENOTTY } = constants.errno;
const { SIGSYS } = constants.signals;

test("under the runtime's filter only threads, vsock, Unix sockets and files are left", async (t) => {
  const folder = temporaryFolder(t);
  const program = join(folder, "try-filter");
  writeFileSync(
    program,
    compileStatic(
      await toolchain(),
      [
        join(import.meta.dirname, "programs/try-filter.c"),
        join(import.meta.dirname, "../../enclave-image/native/seccomp.c"),
      ],
      folder,
    ),
    { mode: 0o755 },
  );
  const { stdout, status } = spawnSync(program, { encoding: "utf8" });
  assert.equal(status, 0);
  const answers = Object.fromEntries(
    stdout
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
  const absent = [
    "ptrace",
    "process-vm-readv",
    "mount",
    "unshare",
    "setns",
    "bpf",
    "io-uring",
    "userfaultfd",
    "perf",
    "keyctl",
    "kexec",
    "module",
    "reboot",
    "setuid",
    "chmod",
    "unlink",
    "socketpair",
    "vfork",
  ];
  assert.deepEqual(answers, {
    "x32 signal": SIGSYS,
    "i386 signal": SIGSYS,
    ...Object.fromEntries(
      ["socket-inet", "socket-inet6", "socket-packet", "socket-netlink-audit"].map((name) => [name, EAFNOSUPPORT]),
    ),
    "socket-unix": 0,
    "socket-netlink-route": 0,
    fork: EPERM,
    thread: 0,
    ...Object.fromEntries(absent.map((name) => [name, ENOSYS])),
    "ioctl-fionbio": 0,
    "ioctl-tiocsti": ENOTTY,
    "ioctl-siocoutq": ENOTTY,
    "ioctl-other": ENOTTY,
  });
});
