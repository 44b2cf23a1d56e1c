import { CmcpError } from "@cmcp/boundary";

/** Conformance profiles with what each lacks here. A name that enforced nothing would be worse than none. */
const LACKING: ReadonlyMap<string, string> = new Map([
  ["aarm", "it binds every receipt to an agent identity (agent_manifest), which this version does not do"],
]);

/** @throws CmcpError `CONFORMANCE_PROFILE_UNSATISFIED` for a profile whose requirements are not met, `CONFIG_INVALID` for one that is not known */
export function requireProfile(profile: string | null, file: string): void {
  if (profile === null) return;
  const detail = { file, key: "conformance_profile" };
  const lacking = LACKING.get(profile);
  if (lacking === undefined)
    throw new CmcpError(
      "CONFIG_INVALID",
      `${file}: conformance_profile: must be one of ${[...LACKING.keys()].join(", ")}`,
      { detail },
    );
  throw new CmcpError(
    "CONFORMANCE_PROFILE_UNSATISFIED",
    `${file}: conformance_profile: ${profile} is not satisfied: ${lacking}`,
    { detail },
  );
}
