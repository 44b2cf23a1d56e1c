import { setFlagsFromString } from "node:v8";

/**
 * V8 takes from a function's budget the bytes of it that a loop goes back over, and the engine's parsers loop over 55 KB. With a
 * fifth of this, ten rules have their parser optimised, for longer than reading them takes; with four times as much,
 * the first tens of thousands of decisions take half as long again.
 */
const BUDGET = 500_000_000;

/**
 * Keeps V8 from optimising the engine: a policy is compiled and tried once before anything is served, and what it ran for
 * that it then hardly runs. Read when the engine is loaded, so called just before; earlier, Node would compile parts of
 * itself anew (docs/decisions/embedded-code.md).
 */
export function stayInFirstTier(): void {
  setFlagsFromString(`--wasm-tiering-budget=${BUDGET}`);
}
