import { accessSync, readFileSync } from "node:fs";
import process from "node:process";
import { imagePlatformOf, type ImagePlatform } from "./image-platform.ts";

/** What detection looks at on the machine it runs on. */
export interface Machine {
  /** True when the device exists for this process; one it may not see does not. */
  exists(path: string): boolean;
  /** SMBIOS chassis asset tag; empty when there is none to read. */
  chassisTag(): string;
  /** The TPM: a device, or the socket of a software TPM that stands for it. `null` when there is none. */
  tpm(): TpmLocation | null;
  /** What the measured image was started as; `null` for a process of a host. @throws CmcpError as {@link imagePlatformOf} */
  imagePlatform(): ImagePlatform | null;
}

export interface TpmLocation {
  readonly kind: "device" | "socket";
  readonly path: string;
}

const CHASSIS_TAG = "/sys/class/dmi/id/chassis_asset_tag";
/** The one with the kernel's resource manager first. */
const TPM_DEVICES = ["/dev/tpmrm0", "/dev/tpm0"] as const;

/** The machine this process is on, as far as the process may look. */
export const thisMachine: Machine = {
  exists(path) {
    try {
      accessSync(path);
      return true;
    } catch {
      // Absent and forbidden come to the same: nothing can be collected from it.
      return false;
    }
  },
  chassisTag: () => (thisMachine.exists(CHASSIS_TAG) ? readFileSync(CHASSIS_TAG, "utf8").trim() : ""),
  tpm() {
    const path = TPM_DEVICES.find((device) => thisMachine.exists(device));
    return path === undefined ? null : { kind: "device", path };
  },
  imagePlatform: () => imagePlatformOf(process.env),
};

/**
 * A machine whose TPM is a software TPM behind a socket. Whoever can choose the socket owns that TPM, as whoever runs
 * a virtual machine owns its virtual TPM.
 */
export function withTpmSocket(machine: Machine, path: string): Machine {
  return { ...machine, tpm: () => ({ kind: "socket", path }) };
}
