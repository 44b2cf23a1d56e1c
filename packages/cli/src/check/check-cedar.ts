import { compilePolicy, type CompiledPolicy, type PolicyBundle } from "@cmcp/policy";
import type { Catalog } from "@cmcp/catalog";

/** The script that compiles candidates in a disposable worker, built beside this command. */
const POLICY_WORKER = new URL("./enclave/policy-worker.cjs", import.meta.url);

/** A bundle is looked at by itself: whether the tools that its rules name exist is not. */
export const NO_CATALOG: Pick<Catalog, "tools" | "resources" | "prompts"> = {
  tools: new Map(),
  resources: new Map(),
  prompts: new Map(),
};

/** Compiles a bundle as the enclave does. @throws CmcpError `POLICY_BUNDLE_INVALID` */
export async function checkCedar(
  bundle: PolicyBundle,
  catalog: Pick<Catalog, "tools" | "resources" | "prompts">,
): Promise<CompiledPolicy> {
  return await compilePolicy(bundle, catalog, { workerUrl: POLICY_WORKER });
}
