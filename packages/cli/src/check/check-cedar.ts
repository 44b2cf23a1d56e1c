import { compilePolicy, type CompiledPolicy, type PolicyBundle } from "@cmcp/policy";
import type { Catalog } from "@cmcp/catalog";

/** The script that compiles candidates in a disposable worker, built beside this command. */
const POLICY_WORKER = new URL("./enclave/policy-worker.cjs", import.meta.url);

/** Compiles a bundle as the enclave does. @throws CmcpError `POLICY_BUNDLE_INVALID` */
export async function checkCedar(bundle: PolicyBundle, catalog: Pick<Catalog, "tools" | "resources" | "prompts">): Promise<CompiledPolicy> {
  return await compilePolicy(bundle, catalog, { workerUrl: POLICY_WORKER });
}
