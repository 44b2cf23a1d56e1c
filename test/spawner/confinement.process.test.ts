/** What a hostile server can do when it runs through the spawner: real processes, real system calls. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { DEFAULT_BOUNDS } from "@cmcp/spawner";
import { RUNNERS, hostileTree, open, serverOf, treeFolder } from "./fixture.ts";
import { Lines } from "./lines.ts";

const CALLS =
  "ptrace process_vm_readv process_vm_writev pidfd_open pidfd_getfd kcmp bpf perf_event_open keyctl add_key request_key userfaultfd io_uring_setup memfd_create memfd_secret shmget shmat msgget semget mq_open mount umount2 fsopen open_tree mount_setattr pivot_root chroot setns clone3 kexec_load finit_module init_module open_by_handle_at name_to_handle_at mknodat fanotify_init quotactl swapon reboot syslog settimeofday clock_settime sethostname personality setuid setgid setgroups capset seccomp connect@to@abstract bind listen".split(
    " ",
  );
const ABSENT =
  "/proc/1/mem /proc/self/mem /proc/self/environ /sys /sys/kernel/config /sys/kernel/security /dev/tpm0 /dev/tpmrm0 /dev/vsock /dev/sev-guest /dev/tdx_guest /dev/mem /dev/kvm /dev/fuse /dev/tty /dev/zero /dev/shm /etc/passwd /root /home /run /var etc/passwd@from@above dot@dot".split(
    " ",
  );
const spaced = (name: string): string => name.replaceAll("@", " ");

const BOUNDS = { ...DEFAULT_BOUNDS, tasks: 40, memoryMib: 128, scratchMib: 8, openFiles: 64 };

function table(lines: readonly string[]): Map<string, string> {
  return new Map(lines.map((line) => [line.slice(0, line.indexOf("\t")), line.slice(line.indexOf("\t") + 1)]));
}

for (const { by, skip } of RUNNERS) {
  test(`a hostile program gets nowhere (spawner of ${by})`, { skip }, async (t) => {
    const { tree, program } = await hostileTree(t);
    const { spawner, listening } = await open(t, by, [serverOf(tree, program, [], { bounds: BOUNDS })]);
    assert.equal(spawner.confinement, "confined");
    const channel = await spawner.start(0);
    const outcome = table(await new Lines(channel).rest(channel));
    assert.equal(outcome.get("done"), "yes", "it lived to the end");

    await t.test("no socket of any family, AF_VSOCK included", () => {
      assert.equal(outcome.get("sockets made"), "0");
      assert.equal(outcome.get("vsock socket"), "EPERM");
      assert.equal(outcome.get("inet pair"), "EPERM");
      assert.equal(outcome.get("unix pair"), "worked", "a pair of its own is what programs start their children with");
    });
    await t.test("no call that reaches other processes, devices, the kernel or its namespaces", () => {
      for (const name of CALLS.map(spaced)) assert.equal(outcome.get(name), "ENOSYS", name);
      for (const kind of ["user", "network"]) assert.equal(outcome.get(`clone with a ${kind} namespace`), "EPERM");
      for (const kind of ["user", "network"]) assert.equal(outcome.get(`unshare the ${kind} namespace`), "ENOSYS");
    });
    await t.test("no process file, no device but two, nothing of the machine", () => {
      for (const name of ABSENT.map(spaced)) assert.equal(outcome.get(name), "ENOENT", name);
      assert.equal(outcome.get("/dev/null"), "worked");
    });
    await t.test("its tree cannot be changed, and scratch space not be run", () => {
      for (const name of ["write to own program", "remove own program", "create in root", "run from scratch space"]) {
        assert.match(outcome.get(name) ?? "", /^(EROFS|EACCES|ETXTBSY)$/, name);
      }
    });
    await t.test("calls of another ABI end the process", { skip: process.arch !== "x64" && "x86 only" }, () => {
      assert.equal(outcome.get("x32 call"), "SYS");
      assert.match(outcome.get("i386 call") ?? "", /^(SYS|SEGV)$/);
    });
    await t.test("no capability, no inherited descriptor, no other uid", () => {
      assert.equal(outcome.get("descriptors inherited"), "0");
      assert.equal(outcome.get("capabilities"), "0");
      assert.equal(outcome.get("bounding set"), "0");
      assert.equal(outcome.get("no_new_privs"), "1");
      assert.equal(outcome.get("groups"), "0");
      assert.ok(Number(outcome.get("uid")) >= (by === "root" ? 2_046_820_352 : 1000));
      assert.equal(outcome.get("pid"), "2", "a PID namespace of its own");
      assert.equal(outcome.get("session"), "1", "no terminal of the spawner's");
    });
    await t.test("a fork bomb, a full disk, all memory: each ends at its bound", () => {
      assert.equal(outcome.get("fork bomb ended by"), "EAGAIN");
      assert.ok(Number(outcome.get("forks")) <= BOUNDS.tasks);
      assert.equal(outcome.get("disk filled until"), "ENOSPC");
      assert.equal(Number(outcome.get("disk bytes")), BOUNDS.scratchMib * 1024 * 1024);
      assert.equal(outcome.get("files made until"), "ENOSPC");
      assert.ok(Number(outcome.get("files")) <= 16_384);
      assert.equal(outcome.get("descriptors opened until"), "EMFILE");
      assert.ok(Number(outcome.get("descriptors")) <= BOUNDS.openFiles);
      assert.equal(outcome.get("memory taken until"), "ENOMEM");
      assert.ok(Number(outcome.get("memory MiB")) <= BOUNDS.memoryMib);
      assert.equal(outcome.get("raise the memory bound"), "EPERM");
      assert.equal(outcome.get("raise the stack bound"), "EPERM");
    });
    await t.test(
      "no memory that a process's bound does not count: shared, growing, or in mapped files beyond scratch space",
      () => {
        for (const name of ["shared memory", "validated shared memory", "huge shared memory", "memory that grows"])
          assert.equal(outcome.get(name), "EPERM", name);
        assert.equal(outcome.get("private memory"), "worked");
        assert.equal(outcome.get("mapped files ended by"), "BUS");
        assert.equal(Number(outcome.get("mapped bytes")), BOUNDS.scratchMib * 1024 * 1024);
      },
    );
    await t.test("the spawner itself took no harm", async () => {
      process.kill(listening.pid, 0);
      const next = await spawner.start(0);
      assert.notEqual(await new Lines(next).until((line) => line.startsWith("sockets made")), "");
      await next.close();
    });
  });

  test(`a server in JavaScript finds no way out (spawner of ${by})`, { skip }, async (t) => {
    const tree = treeFolder(t);
    copyFileSync(fileURLToPath(new URL("programs/network.mjs", import.meta.url)), join(tree, "main.mjs"));
    const inside = join(tree, "test.sock");
    const target = createServer((socket) => socket.destroy());
    let reached = 0;
    target.on("connection", () => (reached += 1));
    target.listen(0, "127.0.0.1");
    await once(target, "listening");
    t.after(() => target.close());
    const address = target.address();
    assert.ok(typeof address === "object" && address !== null);
    const { spawner } = await open(t, by, [serverOf(tree, "node", ["main.mjs", String(address.port), inside])]);
    const channel = await spawner.start(0);
    const outcome = table(await new Lines(channel).rest(channel));
    assert.equal(outcome.get("done"), "yes");
    for (const name of [
      "tcp to the test",
      "tcp to the world",
      "tcp over IPv6",
      "unix socket of the test",
      "abstract unix socket",
      "udp",
      "dns by the system",
      "dns by packets",
      "listen",
      "interfaces",
      "parent's memory",
    ]) {
      const said = outcome.get(name);
      assert.ok(said !== undefined && said !== "worked", `${name}: ${said}`);
    }
    assert.equal(outcome.get("a program of its own"), "worked", "what it may do still works");
    assert.equal(outcome.get("environment"), "HOME", "nothing of the spawner's own environment");
    assert.equal(reached, 0);
  });
}
