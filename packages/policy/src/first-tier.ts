import { setFlagsFromString } from "node:v8";

/**
 * Keeps V8 from optimising the engine: a policy is compiled and tried once before anything is served, and what it ran for
 * that it then hardly runs. Read when the engine is loaded, so called just before; earlier, Node would compile parts of
 * itself anew (docs/decisions/embedded-code.md).
 */
export function stayInFirstTier(): void {
  setFlagsFromString("--wasm-tiering-budget=100000000");
}
