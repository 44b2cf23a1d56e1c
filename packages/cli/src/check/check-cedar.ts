import { compilePolicy, type CompiledPolicy, type PolicyBundle } from "@cmcp/policy";
import type { CatalogTool } from "@cmcp/catalog";

/** The script that compiles candidates in a disposable worker, built beside this command. */
const POLICY_WORKER = new URL("./enclave/policy-worker.cjs", import.meta.url);

/** Compiles a bundle as the enclave does. @throws CmcpError `POLICY_BUNDLE_INVALID` */
export async function checkCedar(bundle: PolicyBundle, tools: readonly CatalogTool[]): Promise<CompiledPolicy> {
  return await compilePolicy(bundle, { tools: new Map(tools.map((tool) => [tool.toolName, tool])) }, { workerUrl: POLICY_WORKER });
}
