import type { Prediction } from "@cmcp/measure";
import type { Terminal } from "../command.ts";

/** A prediction as JSON: registers with their values, and what is not predicted. */
export function predictionJson({ registers, notPredicted }: Prediction) {
  return {
    registers: Object.fromEntries(registers.map(({ register, from, values }) => [register, { from, values }])),
    not_predicted: Object.fromEntries(notPredicted.map(({ register, why }) => [register, why])),
  };
}

/** Prints the values of a prediction, a line each, for a person. */
export function printRegisters({ registers }: Prediction, prefix: string, { out, colour }: Terminal): void {
  const [dim, reset] = colour ? ["\u001b[2m", "\u001b[0m"] : ["", ""];
  const width = Math.max(...registers.map(({ register }) => register.length));
  for (const { register, values } of registers) {
    for (const { value, when } of values)
      out.write(`${prefix}${register.padEnd(width)}  ${value}${when === "" ? "" : `  ${dim}${when}${reset}`}\n`);
  }
}

/** Prints what does not follow from the bytes given. */
export function printNotPredicted({ notPredicted }: Prediction, { out }: Terminal): void {
  for (const { register, why } of notPredicted) out.write(`not predicted: ${register}: ${why}\n`);
}
