import type { Log } from "../log.ts";
import type { Launcher } from "./launcher.ts";
import { openProcessLauncher, type ProcessSettings } from "./process/launcher.ts";
import { openQemuLauncher, type QemuSettings } from "./qemu/launcher.ts";
import { openVsockLauncher, type VsockSettings } from "./vsock/launcher.ts";

/** What an enclave runs in: a process of this host, a machine somebody else started, or one that this host starts. */
export type LauncherSettings = ProcessSettings | VsockSettings | QemuSettings;

/**
 * Prepares a launcher. Nothing runs yet; what it holds is released by its `close`.
 *
 * @param document the launch document's exact bytes, whose digest a confidential machine is started with
 * @throws CmcpError of the launcher's own module
 */
export async function openLauncher(settings: LauncherSettings, document: Uint8Array, log: Log): Promise<Launcher> {
  if (settings.launcher === "vsock") return await openVsockLauncher(settings);
  if (settings.launcher === "qemu") return await openQemuLauncher(settings, document, log);
  return await openProcessLauncher(settings, log);
}
