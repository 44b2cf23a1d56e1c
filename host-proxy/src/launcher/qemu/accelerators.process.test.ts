import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { chosenAccelerators, kvmProblem } from "./accelerators.ts";

/** Somebody to whom permissions apply, when the test is root's. */
const NOBODY = 65_534;

test("a KVM that is there and not this user's is told from one that is not there", (t) => {
  const folder = temporaryDirectory(t);
  chmodSync(folder, 0o755);
  const kvm = join(folder, "kvm");
  writeFileSync(kvm, "", { mode: 0o600 });
  assert.equal(kvmProblem(kvm), null);
  assert.match(
    kvmProblem(join(folder, "other")) ?? "",
    /there is no .*\/other; load the kernel module kvm_amd or kvm_intel/,
  );
  chmodSync(kvm, 0o000);
  const source = `const { kvmProblem } = await import(${JSON.stringify(new URL("./accelerators.ts", import.meta.url).href)}); process.stdout.write(kvmProblem(${JSON.stringify(kvm)}));`;
  const asked = spawnSync(process.execPath, ["--no-warnings", "--input-type=module", "--eval", source], {
    ...(process.getuid?.() === 0 ? { uid: NOBODY } : {}),
    cwd: folder,
    env: {},
    encoding: "utf8",
  });
  if (/EACCES|ERR_MODULE_NOT_FOUND/.test(asked.stderr)) return t.skip("this folder cannot be read by others");
  assert.match(asked.stdout, /is not accessible to this user; add the user to the group that owns it/, asked.stderr);
});

test("an accelerator that is asked for is taken or refused, never replaced", (t) => {
  const kvm = join(temporaryDirectory(t), "kvm");
  writeFileSync(kvm, "");
  assert.deepEqual(chosenAccelerators("auto", { platform: "vtpm" }, kvm), ["kvm", "tcg"]);
  assert.deepEqual(chosenAccelerators("kvm", { platform: "vtpm" }, kvm), ["kvm"]);
  assert.deepEqual(chosenAccelerators("tcg", { platform: "vtpm" }, kvm), ["tcg"]);
  assert.deepEqual(chosenAccelerators("auto", { platform: "vtpm" }, "/nonexistent"), ["tcg"]);
  assert.throws(() => chosenAccelerators("kvm", { platform: "vtpm" }, "/nonexistent"), {
    code: "LAUNCH_HARDWARE_MISSING",
    message: /KVM is asked for: there is no \/nonexistent/,
  });
  assert.throws(() => chosenAccelerators("tcg", { platform: "sev-snp" }, kvm), {
    code: "LAUNCH_HARDWARE_MISSING",
    message: /sev-snp machine cannot be emulated/,
  });
});
