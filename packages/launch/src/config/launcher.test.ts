import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readConfigFile } from "../files/index.ts";
import { parseConfig } from "../index.ts";
import type { LauncherConfig } from "./launcher.ts";

const parse = (text: string): LauncherConfig =>
  parseConfig(text, { env: { CMCP_DEV_MODE: "1" }, file: "conf.yaml" }).host.launcher;

test("an enclave is a process unless something else is said", () => {
  assert.deepEqual(parse(""), { launcher: "process" });
  assert.deepEqual(parse("launcher: process\nvsock: null\nqemu: null\n"), { launcher: "process" });
});

test("a machine somebody else started is named by its CID or its hybrid socket", () => {
  assert.deepEqual(parse("launcher: vsock\nvsock: {cid: 3}\n"), { launcher: "vsock", port: 5000, route: { cid: 3 } });
  assert.deepEqual(parse("launcher: vsock\nvsock: {cid: 4294967294, port: 7}\n"), {
    launcher: "vsock",
    port: 7,
    route: { cid: 4_294_967_294 },
  });
  assert.deepEqual(parse("launcher: vsock\nvsock: {hybrid_socket: /run/vm/vsock}\n"), {
    launcher: "vsock",
    port: 5000,
    route: { hybridSocket: "/run/vm/vsock" },
  });
});

test("a machine of this host is what the attestation provider can attest", () => {
  for (const [provider, platform] of [
    ["auto", "auto"],
    ["sev-snp", "sev-snp"],
    ["tdx", "tdx"],
    ["tpm", "vtpm"],
  ] as const) {
    assert.deepEqual(parse(`attestation: {provider: ${provider}}\nlauncher: qemu\nqemu: {image: out/image}\n`), {
      launcher: "qemu",
      platform,
      image: "out/image",
      memory_mb: 1024,
      vcpus: 1,
      accelerator: "auto",
      console_log: "console.log",
      tpm_state: "tpm",
    });
  }
});

test("what is missing, contradicts, or would not be used is refused by its key", () => {
  for (const [text, key, why] of [
    ["launcher: vsock\n", "vsock", "launcher vsock needs it"],
    ["launcher: qemu\n", "qemu", "launcher qemu needs it"],
    ["launcher: vsock\nvsock: {}\n", "vsock", "needs cid or hybrid_socket"],
    ["launcher: vsock\nvsock: {cid: 3, hybrid_socket: /v}\n", "vsock", "cid and hybrid_socket exclude each other"],
    ["vsock: {cid: 3}\n", "vsock", "launcher process does not use it"],
    ["launcher: vsock\nvsock: {cid: 3}\nqemu: {image: i}\n", "qemu", "launcher vsock does not use it"],
    ["launcher: qemu\nqemu: {image: i}\nvsock: {cid: 3}\n", "vsock", "launcher qemu does not use it"],
    [
      "attestation: {provider: azure-cvm}\nlauncher: qemu\nqemu: {image: i}\n",
      "attestation.provider",
      "launcher qemu makes no machine for azure-cvm",
    ],
    [
      "attestation: {provider: software-only}\nlauncher: qemu\nqemu: {image: i}\n",
      "attestation.provider",
      "launcher qemu makes no machine for software-only",
    ],
  ] as const) {
    assert.throws(() => parse(text), { code: "CONFIG_INVALID", message: `conf.yaml: ${key}: ${why}` }, text);
  }
  for (const text of [
    "launcher: docker\n",
    "vsock: {cid: 2}\nlauncher: vsock\n",
    "launcher: qemu\nqemu: {}\n",
    "launcher: qemu\nqemu: {image: i, memory_mb: 511}\n",
    "launcher: qemu\nqemu: {image: i, vcpus: 0}\n",
    "launcher: qemu\nqemu: {image: i, cpu: '-S'}\n",
    "launcher: qemu\nqemu: {image: ../i}\n",
    "launcher: qemu\nqemu: {image: i, imgae: j}\n",
  ]) {
    assert.throws(() => parse(text), { code: "CONFIG_INVALID" }, text);
  }
});

test("paths are seen from the configuration file, and none of this is measured", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-launcher-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "conf.yaml");
  const read = async (text: string): Promise<Awaited<ReturnType<typeof readConfigFile>>> => {
    writeFileSync(file, text);
    return await readConfigFile(file, { CMCP_DEV_MODE: "1" });
  };
  const machine = await read(
    "launcher: qemu\nqemu: {image: i, console_log: logs/c, tpm_state: t, quote_generation_socket: q}\n",
  );
  assert.ok(machine.host.launcher.launcher === "qemu");
  const { image, console_log, tpm_state, quote_generation_socket } = machine.host.launcher;
  assert.deepEqual(
    [image, console_log, tpm_state, quote_generation_socket],
    [join(folder, "i"), join(folder, "logs/c"), join(folder, "t"), join(folder, "q")],
  );
  const attached = await read("launcher: vsock\nvsock: {hybrid_socket: v}\n");
  assert.deepEqual(attached.host.launcher, {
    launcher: "vsock",
    port: 5000,
    route: { hybridSocket: join(folder, "v") },
  });
  assert.deepEqual([machine.config, attached.config], [(await read("")).config, (await read("")).config]);
});
