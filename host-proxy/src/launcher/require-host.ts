import { findIsolation } from "./process/isolation.ts";
import type { LauncherSettings } from "./open.ts";
import { chosenAccelerators } from "./qemu/accelerators.ts";
import { readImage } from "./qemu/image.ts";
import { platformOf } from "./qemu/platform.ts";
import { installedPrograms } from "./qemu/programs.ts";
import { requirePrograms } from "./qemu/qemu.ts";
import { presentAddon } from "./vsock/route.ts";

/**
 * Refuses a host that lacks what a launcher needs of it, as a start would. It changes nothing and starts no enclave. Whether an image
 * boots, and whether a machine that somebody else started answers, is not looked at.
 * @throws CmcpError `ISOLATION_UNAVAILABLE`, `LAUNCH_HARDWARE_MISSING`, `LAUNCH_MACHINE_INVALID`, `LAUNCH_PROGRAM_MISSING`
 */
export async function requireHost(settings: LauncherSettings): Promise<void> {
  switch (settings.launcher) {
    case "vsock":
      if ("addon" in settings.route) presentAddon(settings.route.addon);
      return;
    case "qemu": {
      const platform = platformOf(settings.platform);
      const { vsock, programs = installedPrograms() } = settings;
      await readImage(settings.image, platform, settings.memoryMegabytes);
      requirePrograms({ platform }, vsock, programs);
      chosenAccelerators(settings.accelerator, { platform });
      if (vsock.kind === "kernel") presentAddon(vsock.addon);
      return;
    }
    case undefined:
    case "process":
      await findIsolation(settings.developmentMode);
  }
}
