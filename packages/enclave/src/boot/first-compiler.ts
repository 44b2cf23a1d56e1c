import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { CompileWorker } from "@cmcp/policy/worker";

/** The script of compile workers, in the same folder as the enclave script. */
export const POLICY_WORKER = pathToFileURL(join(__dirname, "policy-worker.cjs"));

/**
 * Compiles the policy of the launch document. It starts when this module is imported, before all others. Its thread loads the policy engine
 * while the main thread loads the rest and waits for the document.
 */
export const firstCompiler = new CompileWorker(POLICY_WORKER);
