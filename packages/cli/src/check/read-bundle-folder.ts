import { readBundleFolder } from "@cmcp/launch/files";
import { readBundle, type PolicyBundle } from "@cmcp/policy/bundle";

/** Reads a policy bundle from its folder. */
export async function loadBundleFolder(folder: string): Promise<PolicyBundle> {
  return readBundle(await readBundleFolder(folder));
}
