/** `cmcp doctor`: what it finds in a machine's folders, and that its verdict on a configuration is the one of `cmcp start`. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { examineMachine } from "./findings.ts";

/** As it is shipped: what lies beside the sources is not built. */
const MAIN = fileURLToPath(new URL("../../dist/cmcp.mjs", import.meta.url));
const EXAMPLE = fileURLToPath(new URL("../../../../examples/quickstart", import.meta.url));

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-doctor-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The names of what is found. */
async function foundIn(folder: string): Promise<readonly string[]> {
  const places = { sys: join(folder, "sys"), dev: join(folder, "dev"), path: join(folder, "bin") };
  return (await examineMachine(places)).filter(({ found }) => found).map(({ what }) => what);
}

/** Files by which a machine shows what it has. */
const SIGNS: Readonly<Record<string, readonly (readonly [file: string, content?: string])[]>> = {
  "cgroup v2": [["sys/fs/cgroup/cgroup.controllers"]],
  "SEV-SNP guest": [["dev/sev-guest"]],
  "TDX guest": [["dev/tdx_guest"]],
  TPM: [["dev/tpmrm0"]],
  QEMU: [["bin/qemu-system-x86_64"]],
  "software TPM": [["bin/swtpm"]],
  "vsock daemon": [["bin/vhost-device-vsock"]],
  KVM: [["dev/kvm"]],
  "SEV-SNP host": [["sys/module/kvm_amd/parameters/sev_snp", "Y\n"], ["dev/sev"]],
  "TDX host": [["sys/module/kvm_intel/parameters/tdx", "Y\n"]],
};

test("each thing that a machine has is found by its own sign alone", async (t) => {
  const bare = await foundIn(folderFor(t));
  for (const [what, files] of Object.entries(SIGNS)) {
    assert.ok(!bare.includes(what), what);
    const folder = folderFor(t);
    for (const [file, content = ""] of files) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), content, { mode: 0o755 });
    }
    assert.deepEqual(new Set(await foundIn(folder)), new Set([...bare, what]), what);
  }
});

test("what is missing is named with what needs it and how to get it", async (t) => {
  const folder = folderFor(t);
  for (const { what, neededFor, advice, found } of await examineMachine({ sys: folder, dev: folder, path: folder })) {
    assert.ok(neededFor.length > 0, what);
    if (!found) assert.ok(advice.length > 0, what);
  }
});

interface Ended {
  readonly code: number | null;
  readonly answer: {
    readonly ok: boolean;
    readonly error?: { readonly code: string; readonly message: string };
    readonly start?: { readonly ok: boolean; readonly error?: { readonly code: string; readonly message: string } };
  };
}

async function run(command: string, config: string, env: Record<string, string>): Promise<Ended> {
  const words = ["--disable-warning=ExperimentalWarning", MAIN, command, "--config", config, "--json"];
  const child = spawn(process.execPath, words, { env, stdio: ["ignore", "pipe", "ignore"] });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const answer = JSON.parse(await text(child.stdout)) as Ended["answer"];
  return { code: await exited, answer };
}

const IMAGE = ["vmlinuz", "initramfs.cpio.zst", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", "cmdline-vtpm"];
const QEMU = "launcher: qemu\nqemu: {image: image}\n";

for (const [what, { config, code }] of Object.entries({
  "a machine without QEMU": { config: `attestation: {provider: tpm}\n${QEMU}`, code: "LAUNCH_PROGRAM_MISSING" },
  "a machine without an image": {
    config: `attestation: {provider: tpm}\n${QEMU.replace("image: image", "image: nowhere")}`,
    code: "LAUNCH_MACHINE_INVALID",
  },
  "a SEV-SNP machine": { config: `attestation: {provider: sev-snp}\n${QEMU}`, code: "LAUNCH_HARDWARE_MISSING" },
  "a process in a SEV-SNP guest": {
    config: "attestation: {provider: sev-snp}\n",
    code: "ATTESTATION_PROVIDER_UNSUPPORTED",
  },
  "an unknown key": { config: "attestatoin: {}\n", code: "CONFIG_INVALID" },
})) {
  test(`${what}: the doctor says what a start ends with, and leaves nothing`, {
    skip: existsSync("/dev/sev-guest") || existsSync("/dev/sev") ? "this machine may have it" : false,
  }, async (t) => {
    const folder = folderFor(t);
    cpSync(EXAMPLE, folder, { recursive: true });
    mkdirSync(join(folder, "image"));
    for (const name of IMAGE) writeFileSync(join(folder, "image", name), name);
    const file = join(folder, "cmcp-config.yaml");
    writeFileSync(file, `listen_addr: 127.0.0.1:0\n${config}`);
    const before = readdirSync(folder);
    const env = { CMCP_DEV_MODE: "1", PATH: "/nonexistent", TMPDIR: folder };
    const doctor = await run("doctor", file, env);
    assert.deepEqual([doctor.code, doctor.answer.ok, doctor.answer.start?.ok], [10, false, false]);
    assert.equal(doctor.answer.start?.error?.code, code);
    assert.deepEqual(readdirSync(folder), before);
    const { error } = (await run("start", file, env)).answer;
    assert.equal(error?.code, code);
  });
}

test("a configuration that can start here is said to", async () => {
  const { code, answer } = await run("doctor", join(EXAMPLE, "cmcp-config.yaml"), { CMCP_DEV_MODE: "1" });
  assert.deepEqual([code, answer.ok, answer.start], [0, true, { ok: true }]);
});
