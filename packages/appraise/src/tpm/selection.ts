import type { CheckRecorder } from "../checks/check.ts";
import { bankOf, hashAlgorithm, type Bank } from "../event-log/hash-algorithm.ts";
import type { PcrSelection } from "./quote.ts";
import type { QuotePolicy } from "./policy.ts";

/** One bank of a quote. */
export interface QuotedBank {
  readonly bank: Bank;
  readonly registers: readonly number[];
}

/**
 * Checks that the quote is over exactly one of the accepted sets of registers, in accepted banks, each once. A quote
 * over nothing, or over a bank of SHA-1, is as well signed as any other. Gives its banks; none when it is not.
 */
export function checkSelection(
  recorder: CheckRecorder,
  selections: readonly PcrSelection[],
  policy: QuotePolicy,
): readonly QuotedBank[] {
  const wrong = problem(selections, policy);
  const said =
    selections.map(({ bankId, registers }) => `${bankName(bankId)}: ${registers.join(" ") || "none"}`).join("; ") ||
    "no registers";
  if (
    !recorder.require("PCR selection", wrong === undefined, "EVIDENCE_POLICY_VIOLATION", {
      passed: said,
      failed: `${wrong ?? ""} (${said})`,
    })
  )
    return [];
  return selections.map(({ bankId, registers }) => ({ bank: bankOf(bankId, "the quote"), registers }));
}

function problem(selections: readonly PcrSelection[], policy: QuotePolicy): string | undefined {
  if (selections.length === 0) return "the quote is over no registers";
  const ids = selections.map(({ bankId }) => bankId);
  if (new Set(ids).size !== ids.length) return "the quote names a bank twice";
  const foreign = ids.find((id) => !policy.banks.some((bank) => bank === bankName(id)));
  if (foreign !== undefined) return `bank ${bankName(foreign)} is not accepted`;
  const exact = selections.every(({ registers }) => policy.selections.some((set) => sameSet(set, registers)));
  return exact ? undefined : "the quoted registers are none of the accepted sets";
}

function sameSet(left: readonly number[], right: readonly number[]): boolean {
  return new Set(left).size === new Set(right).size && left.every((register) => right.includes(register));
}

function bankName(id: number): string {
  return hashAlgorithm(id)?.name ?? `0x${id.toString(16).padStart(4, "0")}`;
}
