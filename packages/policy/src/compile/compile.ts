import type { PolicyBundle } from "../bundle/index.ts";
import type { CompiledPolicy } from "../compiled.ts";
import { decideByPermits, decideWith, redactionWith } from "../evaluate/decide.ts";
import { couldAllowWith } from "../evaluate/partial.ts";
import { loadEngine, prepare } from "../evaluate/engine.ts";
import { wholePlan } from "../evaluate/slice.ts";
import { checkNesting } from "./nesting.ts";
import { outlineOf, type PolicyCatalog } from "./outline.ts";
import { CompileWorker } from "./worker.ts";

/** How a bundle is compiled. */
export interface CompileOptions {
  /** Module of the compile worker: `@cmcp/policy/compile-worker`, or where the build put it. */
  readonly workerUrl: URL;
  /** One of that module that is running already and has compiled nothing; else one is started. */
  readonly started?: CompileWorker;
  /** Longest the worker may take, in milliseconds; 45 000 by default. */
  readonly timeoutMs?: number;
}

/** Below what the host waits for a launch (60 s). A machine that is emulated on a busy host needs more than 10 s. */
const DEFAULT_TIMEOUT_MS = 45_000;

/**
 * Compiles a bundle against a catalog: bounds first, then everything that parses in a disposable worker,
 * then the accepted policies and schema into this thread's engine.
 *
 * @throws CmcpError `POLICY_BUNDLE_INVALID`; `TEE_FAULT` when this thread's engine refuses what the worker's accepted.
 */
export async function compilePolicy(
  bundle: PolicyBundle,
  catalog: PolicyCatalog,
  options: CompileOptions,
): Promise<CompiledPolicy> {
  for (const [path, text] of bundle.cedarFiles) checkNesting(path, text);
  checkNesting("schema.cedarschema", bundle.schemaText);
  const worker = options.started ?? new CompileWorker(options.workerUrl);
  const planned = worker.compile(
    {
      files: [...bundle.cedarFiles],
      schemaText: bundle.schemaText,
      catalog: outlineOf(catalog),
      history: bundle.history,
    },
    options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
  );
  // This thread's engine is loaded while the worker uses its own.
  const [plan] = await Promise.all([planned, loadEngine()]);
  prepare(plan, wholePlan(plan));
  return {
    bundle,
    shape: plan.shape,
    warnings: plan.warnings,
    reads: (variable, attribute) => plan.reads.has(`${variable}.${attribute}`) || plan.reads.has(variable),
    decidesDelivery: plan.decidesDelivery,
    decide: (facts, onRequest) => decideWith(plan, facts, onRequest),
    decidePermits: (facts, onRequest) => decideByPermits(plan, facts, onRequest),
    couldAllow: (facts, looking) => couldAllowWith(plan, facts, looking),
    redactionOf: (facts) => redactionWith(plan, facts),
  };
}
