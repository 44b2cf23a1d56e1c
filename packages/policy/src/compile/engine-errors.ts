import type { DetailedError } from "@cedar-policy/cedar-wasm/nodejs";

const MAX_LENGTH = 400;

/** One bounded line from the engine's errors. */
export function engineText(errors: readonly DetailedError[]): string {
  const first = errors[0];
  if (first === undefined) return "no reason given";
  const label = first.sourceLocations?.[0]?.label;
  const parts = [first.message, label, first.help].filter((part) => typeof part === "string" && part !== "");
  return parts.join("; ").replaceAll(/\s+/g, " ").slice(0, MAX_LENGTH);
}
