import { accessSync, readFileSync } from "node:fs";

/** What detection looks at on the machine it runs on. */
export interface Machine {
  /** True when the device exists for this process; one it may not see does not. */
  exists(path: string): boolean;
  /** SMBIOS chassis asset tag; empty when there is none to read. */
  chassisTag(): string;
}

const CHASSIS_TAG = "/sys/class/dmi/id/chassis_asset_tag";

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
};
