import { Worker } from "node:worker_threads";
import { CmcpError, type ErrorCode } from "@cmcp/boundary";
import type { CompileInput, CompilePlan } from "./plan.ts";

/** The worker's one message. */
export type CompileAnswer =
  | { readonly ok: true; readonly plan: CompilePlan }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

const MEMORY = { maxOldGenerationSizeMb: 512, stackSizeMb: 4 };

/** A worker thread that compiles one candidate and is thrown away. One that is started early loads the engine while nobody waits for it. */
export class CompileWorker {
  readonly #worker: Worker;
  readonly #answer: Promise<CompileAnswer>;
  #used = false;

  /** @param url - module of the worker: `@cmcp/policy/compile-worker`, or where the build put it */
  constructor(url: URL) {
    const worker = new Worker(url, { resourceLimits: MEMORY, env: {} });
    this.#worker = worker;
    this.#answer = new Promise((resolve, reject) => {
      const refuse = (why: string, cause?: unknown): void =>
        reject(new CmcpError("POLICY_BUNDLE_INVALID", why, { cause }));
      worker.once("message", resolve);
      worker.once("messageerror", (thrown) => refuse("the compile worker's answer could not be read", thrown));
      worker.once("error", (thrown) => refuse("the compile worker failed", thrown));
      worker.once("exit", () => refuse("the compile worker ended without an answer"));
    });
    // Whoever asks for the plan hears of it; until then there is nobody.
    this.#answer.catch(() => undefined);
  }

  /**
   * Has the one candidate compiled and ends the thread.
   *
   * @throws CmcpError what the worker reports; `POLICY_BUNDLE_INVALID` when it dies or takes longer than `timeoutMs`;
   * `INTERNAL` the second time.
   */
  async compile(input: CompileInput, timeoutMs: number): Promise<CompilePlan> {
    if (this.#used) throw new CmcpError("INTERNAL", "a compile worker compiles one candidate");
    this.#used = true;
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new CmcpError("POLICY_BUNDLE_INVALID", `compiling the bundle took longer than ${timeoutMs} ms`)),
        timeoutMs,
      );
    });
    try {
      this.#worker.postMessage(input, []);
      const answer = await Promise.race([this.#answer, tooLong]);
      if (!answer.ok) throw new CmcpError(answer.code, answer.message);
      return answer.plan;
    } finally {
      clearTimeout(timer);
      await this.close();
    }
  }

  /** Ends the thread, whatever it does. */
  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
