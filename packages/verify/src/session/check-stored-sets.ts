import type { Checklist } from "../checklist.ts";
import type { StoredSets } from "./stored-sets.ts";

/** Says that whoever provisioned can read what the log keeps of it. */
export function checkStorage({ storage, problem }: StoredSets, list: Checklist): void {
  if (storage === "operator-readable")
    list.notPerformed(
      "storage",
      "operator-readable: the log has tokens and credentials under a storage key, which whoever provisioned knows",
    );
  if (problem !== null) list.fail("stored set", "CLAIM_INCONSISTENT", problem);
}

/** Says of each set that came back whether the entries show the provisioning that gave it. Without a log nothing else does. */
export function reportRestored({ restored, problem }: StoredSets, list: Checklist, hint = ""): void {
  if (problem !== null) return;
  for (const { entry, from, isShown } of restored)
    if (isShown)
      list.require("stored set", true, "CLAIM_INCONSISTENT", {
        passed: `entry ${entry}: that of provisioning ${from}, which an earlier entry names`,
        failed: "",
      });
    else list.notPerformed("stored set", `entry ${entry}: that of provisioning ${from}, which is not shown${hint}`);
}
