import { join } from "node:path";
import { openInputs } from "../lock/inputs.ts";
import { packagesOf } from "../lock/lock.ts";
import { unpackedPackages } from "./unpacked-packages.ts";

type Command = readonly [string, ...string[]];

/** What runs the image where there is no confidential hardware: commands that need nothing installed. */
export interface EmulatorPrograms {
  readonly qemu: Command;
  /** Folders of QEMU's own firmware files. */
  readonly dataFolders: readonly string[];
  readonly vsockDaemon: Command;
  readonly swtpm: Command;
}

/**
 * Fetches and unpacks the emulator of the lock file below `cacheFolder`.
 * @throws CmcpError as {@link PackageCache.get}
 */
export async function emulatorPrograms(cacheFolder: string): Promise<EmulatorPrograms> {
  const { lock, cache } = openInputs(cacheFolder);
  const packages = await unpackedPackages(packagesOf(lock, "runtime", "toolchain", "emulator"), cache, cacheFolder);
  return {
    qemu: packages.command("usr/bin/qemu-system-x86_64"),
    dataFolders: ["qemu", "seabios"].map((name) => join(packages.root, "usr/share", name)),
    vsockDaemon: packages.command("usr/bin/vhost-device-vsock"),
    swtpm: packages.command("usr/bin/swtpm"),
  };
}
