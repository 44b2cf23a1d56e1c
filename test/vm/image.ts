import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { commandLine, type Platform } from "../../enclave-image/src/build/command-line.ts";
import type { Toolchain } from "../../enclave-image/src/build/toolchain.ts";
import { unpackedPackages } from "../../enclave-image/src/emulator/unpacked-packages.ts";
import { emulatorPrograms } from "../../enclave-image/src/emulator/programs.ts";
import { openInputs } from "../../enclave-image/src/lock/inputs.ts";
import { packagesOf } from "../../enclave-image/src/lock/lock.ts";
import type { Machine } from "../../host-proxy/src/launcher/qemu/machine.ts";
import { startMachine } from "../../host-proxy/src/launcher/qemu/accelerators.ts";
import type { EnclaveMachine } from "../../host-proxy/src/launcher/qemu/qemu.ts";
import { memoryLog } from "../../host-proxy/src/testing/memory-log.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Where `make image` leaves what these tests run. */
export const IMAGE = join(root, "out/image");
/** Where inputs and tools of the lock file are kept. */
export const CACHE = join(root, ".cache/image");
/** The processor that is emulated: one that SEV-SNP images run on. */
const PROCESSOR = "EPYC";

/** The emulator of the lock file. */
export async function programs(): Promise<Awaited<ReturnType<typeof emulatorPrograms>>> {
  return await emulatorPrograms(CACHE);
}

/** The compiler of the lock file, unpacked where {@link programs} is. */
export async function toolchain(): Promise<Toolchain> {
  const { lock, cache } = openInputs(CACHE);
  return await unpackedPackages(packagesOf(lock, "runtime", "toolchain"), cache, CACHE);
}

/** A published file. */
export function published(name: string): string {
  const path = join(IMAGE, name);
  if (!existsSync(path)) throw new Error(`${path} is not there; run make image first`);
  return path;
}

/** A machine with the published kernel, talking on its serial port. */
export function debugMachine(platform: Platform, initramfs: string): Machine {
  return machineOf(platform, initramfs, commandLine(platform, "debug"));
}

/** A machine with a TPM and the image as it is published: kernel, initramfs and command line, and so no console. */
export function releaseMachine(): Machine {
  return machineOf("vtpm", published("initramfs.cpio.zst"), readFileSync(published("cmdline-vtpm"), "utf8"));
}

function machineOf(platform: Platform, initramfs: string, words: string): Machine {
  return {
    platform,
    boot: { kernel: published("vmlinuz"), initramfs, commandLine: words },
    firmware:
      platform === "vtpm" ? { code: published("OVMF_CODE_4M.fd"), variables: published("OVMF_VARS_4M.fd") } : null,
    memoryMegabytes: 512,
    processors: 1,
    processorModel: PROCESSOR,
    launchDigest: null,
  };
}

/** A folder of its own with a short path, removed after the test. */
export function temporaryFolder(t: Pick<TestContext, "after">): string {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-vm-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts a machine under emulation and stops it after the test; what it printed goes with a failure. */
export async function started(
  t: Pick<TestContext, "after" | "diagnostic">,
  machine: Machine,
  folder: string,
): Promise<EnclaveMachine> {
  const { log, text } = memoryLog();
  try {
    const running = await startMachine(
      { machine, programs: await programs(), vsock: { kind: "daemon" }, folder, log },
      ["tcg"],
    );
    t.after(() => running.stop());
    return running;
  } catch (thrown) {
    t.diagnostic(text());
    throw thrown;
  }
}
