/** Entry of the disposable worker thread that parses a candidate bundle: what kills the engine there kills nothing else. */
import "@cmcp/boundary/frozen-intrinsics";
import "./first-tier-here.ts";
import { parentPort } from "node:worker_threads";
import { asCmcpError } from "@cmcp/boundary";
import { planBundle, type CompileInput } from "./compile/plan.ts";
import type { CompileAnswer } from "./compile/worker.ts";

/** Parsed before the candidate comes: what the engine's parser runs for the first time, V8 compiles first. */
const SAMPLE: CompileInput = {
  files: [
    [
      "sample.cedar",
      '@id("sample") permit (principal == cMCP::Principal::"a", action == cMCP::Action::"call_tool", resource) when { context.sample == "a" };',
    ],
  ],
  schemaText:
    "namespace cMCP { entity Principal; entity Resource = { tool_name: String }; action call_tool appliesTo { principal: Principal, resource: Resource, context: { sample: String } }; }",
  catalog: { tools: [], resources: [], prompts: [] },
};

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

// A sample that fails would warm nothing, and say so nowhere.
if (!answer(SAMPLE).ok) throw new Error("the policy engine refuses the sample");
parentPort?.once("message", (input: CompileInput) => parentPort?.postMessage(answer(input), []));
