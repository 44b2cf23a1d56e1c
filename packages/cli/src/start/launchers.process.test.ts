/**
 * `cmcp start` with a machine that cannot be started: what is missing is named, and nothing is left running. Real
 * machines are in test/vm.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const EXAMPLE = fileURLToPath(new URL("../../../../examples/quickstart", import.meta.url));

/** The quickstart with another launcher, beside an image folder that does not boot. */
function deployed(t: TestContext, config: string): string {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-start-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(EXAMPLE, folder, { recursive: true });
  mkdirSync(join(folder, "image"));
  for (const name of ["vmlinuz", "initramfs.cpio.zst", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", "cmdline-vtpm"])
    writeFileSync(join(folder, "image", name), name);
  writeFileSync(join(folder, "cmcp-config.yaml"), `listen_addr: 127.0.0.1:0\n${config}`);
  return folder;
}

interface Refusal {
  readonly exit: number | null;
  readonly error: { readonly code: string; readonly message: string; readonly action: string };
}

async function refusal(folder: string, environment: Record<string, string> = {}): Promise<Refusal> {
  const env = { CMCP_DEV_MODE: "1", PATH: "/nonexistent", TMPDIR: folder, ...environment };
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", MAIN, "start", "--config", join(folder, "cmcp-config.yaml"), "--json"],
    { env, stdio: ["ignore", "pipe", "ignore"] },
  );
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const { error } = JSON.parse(await text(child.stdout)) as Pick<Refusal, "error">;
  return { exit: await exited, error };
}

/** Command lines on this machine that name the folder. */
function left(folder: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8");
      } catch {
        return "";
      }
    })
    .filter((words) => words.includes(folder));
}

const MACHINE = "attestation: {provider: tpm}\nlauncher: qemu\nqemu: {image: image, memory_mb: 512}\n";

for (const [what, { config = MACHINE, environment = {}, prepare = () => undefined, code, message }] of Object.entries<{
  config?: string;
  environment?: Record<string, string>;
  prepare?: (folder: string) => unknown;
  code: string;
  message: RegExp;
}>({
  "no QEMU": {
    code: "LAUNCH_PROGRAM_MISSING",
    message: /QEMU is needed and qemu-system-x86_64 is not in PATH: install the package qemu-system-x86/,
  },
  "no SEV-SNP": {
    config: MACHINE.replace("tpm", "sev-snp"),
    code: "LAUNCH_HARDWARE_MISSING",
    message: /this host has no sev-snp switched on/,
  },
  "no TDX": {
    config: MACHINE.replace("tpm", "tdx"),
    code: "LAUNCH_HARDWARE_MISSING",
    message: /this host has no tdx switched on/,
  },
  "an initramfs over the memory given": {
    prepare: (folder) => truncateSync(join(folder, "image/initramfs.cpio.zst"), 300 * 1024 * 1024),
    code: "LAUNCH_MACHINE_INVALID",
    message: /initramfs\.cpio\.zst has 300 MB, too many for a machine of 512 MB: raise qemu\.memory_mb/,
  },
  "no image": {
    config: MACHINE.replace("image: image", "image: nowhere"),
    code: "LAUNCH_MACHINE_INVALID",
    message: /nowhere\/vmlinuz of the image cannot be read/,
  },
  "a software TPM that no machine would use": {
    environment: { CMCP_TPM_SOCKET: "/tpm" },
    code: "CONFIG_INVALID",
    message: /CMCP_TPM_SOCKET: launcher qemu does not use it/,
  },
  "no vsock addon": {
    config: "launcher: vsock\nvsock: {cid: 4000000001}\n",
    code: "LAUNCH_PROGRAM_MISSING",
    message: /the vsock addon .* is not there/,
  },
})) {
  test(`${what}: refused, with what to do, and nothing is left`, {
    skip: existsSync("/sys/module/kvm_amd/parameters/sev_snp") && /SNP/.test(what) ? "this host may have it" : false,
  }, async (t) => {
    const folder = deployed(t, config);
    prepare(folder);
    const { exit, error } = await refusal(folder, environment);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.ok(error.action.length > 0);
    assert.equal(exit, 10);
    assert.deepEqual(left(folder), []);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith("cmcp-") && name !== "cmcp-config.yaml"),
      [],
      "no runtime folder stays",
    );
  });
}

test("no software TPM, and no vsock daemon, where there is a QEMU", async (t) => {
  const folder = deployed(t, MACHINE);
  mkdirSync(join(folder, "bin"));
  for (const name of ["qemu-system-x86_64", "vhost-device-vsock"]) {
    const missing = await refusal(folder, { PATH: join(folder, "bin") });
    assert.equal(missing.error.code, "LAUNCH_PROGRAM_MISSING");
    writeFileSync(join(folder, "bin", name), "#!/bin/sh\nsleep 1000\n", { mode: 0o755 });
  }
  const { error } = await refusal(folder, { PATH: join(folder, "bin") });
  assert.match(error.message, /the software TPM is needed and swtpm is not in PATH: install the package swtpm/);
  assert.deepEqual(left(folder), []);
});
