import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { CompileWorker } from "@cmcp/policy/worker";

/** The script of compile workers, beside this one. */
export const POLICY_WORKER = pathToFileURL(join(__dirname, "policy-worker.cjs"));

/**
 * Compiles the policy of the launch document. It starts when this module is imported, which is before everything else
 * is: its thread loads the policy engine while this one loads the rest and waits for the document.
 */
export const firstCompiler = new CompileWorker(POLICY_WORKER);
