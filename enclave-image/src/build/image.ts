import type { KeyObject } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { writeCpio, type CpioMember } from "../archive/cpio.ts";
import type { PackageCache } from "../lock/fetch.ts";
import { openInputs } from "../lock/inputs.ts";
import { packageNamed, packagesOf, type InputLock } from "../lock/lock.ts";
import { readBundledPackages } from "./bundled-packages.ts";
import { commandLine, type Platform } from "./command-line.ts";
import { packErofs } from "./erofs.ts";
import { packageFile, readFirmware } from "./firmware.ts";
import { readKernel, type Kernel } from "./kernel.ts";
import { digestOf, type Manifest } from "./manifest.ts";
import { buildNative } from "./native.ts";
import { checkNodePackage } from "./node-package.ts";
import { Progress } from "./progress.ts";
import { publish } from "./publish.ts";
import { nodeFiles, rootFiles } from "./root-files.ts";
import { imageSbom } from "./sbom.ts";
import { Toolchain } from "./toolchain.ts";
import { buildUki } from "./uki.ts";

/** Bytes of the compressed initramfs: it is loaded, hashed and unpacked at each boot. */
const MAX_INITRAMFS = 45_000_000;
const RELEASE_PLATFORMS: readonly Platform[] = ["sev-snp", "tdx", "vtpm"];
const STEPS = 9;

/** Where the builder reads and writes. */
export interface BuildFolders {
  /** Packages by hash; shared by builds. */
  readonly cache: string;
  /** The npm package of Node. */
  readonly nodePackage: string;
  /** What `make build` bundled for the enclave. */
  readonly bundle: string;
  /** The finished image; replaced as a whole. */
  readonly output: string;
}

/**
 * Builds kernel, initramfs, command lines, unified kernel image and firmware into `output`, with a bill of materials
 * and a manifest, signed when a key is given. Equal sources and lock file give equal bytes.
 *
 * @throws CmcpError `IMAGE_…` naming the input or program at fault; `output` then stays as it was
 */
export async function buildImage(folders: BuildFolders, key: KeyObject | null): Promise<Manifest> {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new CmcpError(
      "IMAGE_BUILD_FAILED",
      "the image is built with programs for x86-64 Linux; this machine is another",
    );
  const { lock, cache } = openInputs(folders.cache);
  const work = `${folders.output}.${process.pid}`;
  const parts = join(work, "parts");
  const finished = join(work, "finished");
  const bundled = readBundledPackages(folders.bundle);
  const progress = new Progress(STEPS);
  try {
    for (const folder of [parts, finished]) mkdirSync(folder, { recursive: true });
    const { kernel, toolchain } = await prepare(progress, { lock, cache }, folders, join(work, "toolchain"));
    const native = await progress.step("compiles PID 1, the helper, the spawner and the vsock addon", () =>
      buildNative(toolchain, folders.nodePackage, join(parts, "native")),
    );
    const node = await progress.step("strips Node", () =>
      strip(toolchain, join(folders.nodePackage, "bin/node"), parts),
    );
    const inUsr = nodeFiles(node);
    const nodeImage = await progress.step("packs Node into a file system of its own", () =>
      packErofs(toolchain, inUsr, parts),
    );
    const root = rootFiles({
      kernel,
      native,
      nodeImage,
      libraries: join(toolchain.root, "usr/lib/x86_64-linux-gnu"),
      bundle: folders.bundle,
    });
    const everything = [...root, ...inUsr.map((member) => ({ ...member, path: `usr/${member.path}` }))];
    const initramfs = await progress.step("packs the initramfs", () => packInitramfs(toolchain, root, parts));
    const stub = await packageFile(lock, cache, "systemd-boot-efi", "usr/lib/systemd/boot/efi/linuxx64.efi.stub");
    const uki = await progress.step("assembles the unified kernel image", () =>
      buildUki(toolchain, { kernel, initramfs, commandLine: commandLine("vtpm", "release"), stub }, parts),
    );
    return await progress.step("writes firmware, bill of materials, measurements and manifest", async () => {
      const outputs = new Map<string, Uint8Array>([
        ["vmlinuz", kernel.image],
        ["initramfs.cpio.zst", readFileSync(initramfs)],
        ["cmcp-vtpm.efi", uki],
        ...(await readFirmware(lock, cache)),
        ...RELEASE_PLATFORMS.map(
          (platform) => [`cmdline-${platform}`, Buffer.from(commandLine(platform, "release"))] as const,
        ),
        ["files.json", Buffer.from(`${JSON.stringify(fileTable(everything), null, 2)}\n`)],
        ["sbom.cdx.json", Buffer.from(imageSbom(lock, bundled, everything))],
      ]);
      const manifest = await publish(finished, outputs, kernel.release, key);
      rmSync(folders.output, { recursive: true, force: true });
      renameSync(finished, folders.output);
      return manifest;
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function prepare(
  progress: Progress,
  { lock, cache }: { readonly lock: InputLock; readonly cache: PackageCache },
  folders: BuildFolders,
  root: string,
): Promise<{ kernel: Kernel; toolchain: Toolchain }> {
  const needed = lock.packages.filter(({ group }) => group !== "emulator");
  await progress.step(`fetches ${needed.length} packages of the lock file and compares their hashes`, async () => {
    checkNodePackage(folders.nodePackage, lock);
    for (const entry of needed) await cache.get(entry);
  });
  const toolchain = await progress.step("unpacks the toolchain", () =>
    Toolchain.unpacked(packagesOf(lock, "runtime", "toolchain"), cache, root),
  );
  const kernel = await progress.step("takes the kernel and its modules out of their package", async () =>
    readKernel(await cache.get(packageNamed(lock, "linux-image-cloud-amd64"))),
  );
  return { kernel, toolchain };
}

function strip(toolchain: Toolchain, program: string, work: string): Uint8Array {
  const stripped = join(work, "node");
  toolchain.run("usr/bin/x86_64-linux-gnu-strip", ["--strip-all", "-o", stripped, program], { cwd: work });
  return readFileSync(stripped);
}

/** Writes the initramfs and returns its path. */
function packInitramfs(toolchain: Toolchain, root: readonly CpioMember[], work: string): string {
  const archive = join(work, "initramfs.cpio");
  const packed = `${archive}.zst`;
  writeFileSync(archive, writeCpio(root));
  // Level 19 saves a twentieth of the size and takes almost twice as long to decompress: its matches are more and
  // shorter. With any number of workers zstd cuts its input in the same places, so the bytes do not depend on the
  // machine.
  toolchain.run("usr/bin/zstd", ["-9", "-T4", "--quiet", "-o", packed, archive], { cwd: work });
  const { length } = readFileSync(packed);
  if (length > MAX_INITRAMFS)
    throw new CmcpError("IMAGE_BUILD_FAILED", `the initramfs has ${length} bytes, ${MAX_INITRAMFS} are allowed`);
  return packed;
}

/** Path, permissions and hash of everything in the image, for comparing with what is expected to be there. */
function fileTable(members: readonly CpioMember[]): { path: string; mode: string; sha256?: string }[] {
  return members.map((member) => ({
    path: `/${member.path}`,
    mode: member.mode.toString(8),
    ...(member.kind === "file" ? { sha256: digestOf(member.data).sha256 } : {}),
  }));
}
