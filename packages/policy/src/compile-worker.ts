/** Entry of the disposable worker thread that parses a candidate bundle: what kills the engine there kills nothing else. */
import "@cmcp/boundary/frozen-intrinsics";
import { parentPort } from "node:worker_threads";
import { asCmcpError } from "@cmcp/boundary";
import { planBundle, type CompileInput } from "./compile/plan.ts";
import type { CompileAnswer } from "./compile/worker.ts";

function answer(input: CompileInput): CompileAnswer {
  try {
    return { ok: true, plan: planBundle(input) };
  } catch (thrown) {
    const error = asCmcpError(
      thrown,
      "POLICY_BUNDLE_INVALID",
      "the policy engine failed on this bundle; simplify its rules",
    );
    return { ok: false, code: error.code, message: error.message };
  }
}

parentPort?.once("message", (input: CompileInput) => parentPort?.postMessage(answer(input), []));
