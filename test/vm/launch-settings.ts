import { appendFile, chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { IMAGE, programs } from "./image.ts";

/**
 * Has `cmcp start` boot an image folder for a deployment, as an operator of it would: by its configuration. Emulated,
 * because a KVM that opens may be of no use.
 */
export async function useMachine(config: string, image: string = IMAGE): Promise<void> {
  await appendFile(config, `\nlauncher: qemu\nqemu: {image: ${image}, vcpus: 2, accelerator: tcg}\n`);
}

/**
 * Environment in which it finds the emulator of the lock file, and leaves nothing outside `folder`, whose path is
 * short as those of sockets are.
 */
export async function emulatorEnvironment(folder: string): Promise<{ readonly PATH: string; readonly TMPDIR: string }> {
  return { PATH: await emulatorPath(folder), TMPDIR: folder };
}

/** A `PATH` on which the emulator of the lock file is installed, and nothing else. */
export async function emulatorPath(folder: string): Promise<string> {
  const path = join(folder, "bin");
  await mkdir(path);
  const { qemu, vsockDaemon, swtpm, dataFolders } = await programs();
  const commands = {
    "qemu-system-x86_64": [...qemu, ...dataFolders.flatMap((data) => ["-L", data])],
    "vhost-device-vsock": vsockDaemon,
    swtpm,
  };
  for (const [name, words] of Object.entries(commands)) {
    await writeFile(join(path, name), `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`);
    await chmod(join(path, name), 0o755);
  }
  return path;
}
