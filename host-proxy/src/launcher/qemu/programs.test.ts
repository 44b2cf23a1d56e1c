import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { memoryLog } from "../../testing/memory-log.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { installedPrograms, requireProgram, startProgram } from "./programs.ts";

test("programs are found as a shell would find them, by absolute folders of PATH alone", (t) => {
  const root = temporaryDirectory(t);
  for (const [folder, name, mode] of [["a", "swtpm", 0o644], ["b", "swtpm", 0o755], ["c", "swtpm", 0o755], ["c", "qemu-system-x86_64", 0o755]] as const) {
    mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, folder, name), "");
    chmodSync(join(root, folder, name), mode);
  }
  const found = installedPrograms([join(root, "a"), relative(process.cwd(), join(root, "c")), "", join(root, "b"), join(root, "c")].join(":"));
  assert.deepEqual(found, { qemu: [join(root, "c/qemu-system-x86_64")], vsockDaemon: null, swtpm: [join(root, "b/swtpm")], dataFolders: [] });
});

test("a program that is missing is refused with the package that has it", () => {
  const nothing = installedPrograms("");
  for (const [name, message] of [
    ["qemu", "QEMU is needed and qemu-system-x86_64 is not in PATH: install the package qemu-system-x86"],
    ["vsockDaemon", "the vsock daemon is needed and vhost-device-vsock is not in PATH: install the package vhost-device-vsock"],
    ["swtpm", "the software TPM is needed and swtpm is not in PATH: install the package swtpm"],
  ] as const) {
    assert.throws(() => requireProgram(name, nothing), { code: "LAUNCH_PROGRAM_MISSING", message });
    assert.throws(() => startProgram(name, nothing, [], { folder: "/tmp", log: memoryLog().log }), { code: "LAUNCH_PROGRAM_MISSING", message });
  }
});
