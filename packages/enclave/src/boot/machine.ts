import { accessSync, readFileSync } from "node:fs";

/** What detection may ask of the machine this process is on. */
export const machine = {
  /** Whether a device is there for this process; one it may not see is not. */
  exists(path: string): boolean {
    try {
      accessSync(path);
      return true;
    } catch {
      // Absent and forbidden come to the same: nothing can be collected from it.
      return false;
    }
  },
  /** The DMI chassis tag, empty where there is none to read. */
  chassisTag(): string {
    const path = "/sys/class/dmi/id/chassis_asset_tag";
    return machine.exists(path) ? readFileSync(path, "utf8").trim() : "";
  },
};
