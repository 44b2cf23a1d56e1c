import { Worker } from "node:worker_threads";
import { CmcpError, type ErrorCode } from "@cmcp/boundary";
import type { CompileInput, CompilePlan } from "./plan.ts";

/** The worker's one message. */
export type CompileAnswer = { readonly ok: true; readonly plan: CompilePlan } | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

const MEMORY = { maxOldGenerationSizeMb: 512, stackSizeMb: 4 };

/**
 * Runs one compile in a worker thread that is thrown away.
 *
 * @throws CmcpError what the worker reports; `POLICY_BUNDLE_INVALID` when it dies or takes longer than `timeoutMs`.
 */
export async function runWorker(workerUrl: URL, input: CompileInput, timeoutMs: number): Promise<CompilePlan> {
  const worker = new Worker(workerUrl, { workerData: input, resourceLimits: MEMORY, env: {} });
  let timer: NodeJS.Timeout | undefined;
  try {
    const answer = await new Promise<CompileAnswer>((resolve, reject) => {
      const refuse = (why: string, cause?: unknown): void => reject(new CmcpError("POLICY_BUNDLE_INVALID", why, { cause }));
      timer = setTimeout(() => refuse(`compiling the bundle took longer than ${timeoutMs} ms`), timeoutMs);
      worker.once("message", resolve);
      worker.once("messageerror", (thrown) => refuse("the compile worker's answer could not be read", thrown));
      worker.once("error", (thrown) => refuse("the compile worker failed", thrown));
      worker.once("exit", () => refuse("the compile worker ended without an answer"));
    });
    if (!answer.ok) throw new CmcpError(answer.code, answer.message);
    return answer.plan;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
