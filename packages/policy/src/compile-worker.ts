/** Entry of the disposable worker thread that parses a candidate bundle: what kills the engine there kills nothing else. */
import { parentPort, workerData } from "node:worker_threads";
import { asCmcpError } from "@cmcp/boundary";
import { planBundle, type CompileInput } from "./compile/plan.ts";
import type { CompileAnswer } from "./compile/run-worker.ts";

function answer(): CompileAnswer {
  try {
    return { ok: true, plan: planBundle(workerData as CompileInput) };
  } catch (thrown) {
    const error = asCmcpError(thrown, "POLICY_BUNDLE_INVALID", "the policy engine failed on this bundle; simplify its rules");
    return { ok: false, code: error.code, message: error.message };
  }
}

parentPort?.postMessage(answer(), []);
