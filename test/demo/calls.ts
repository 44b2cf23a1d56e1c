import type { CallOutcome } from "./agent.ts";
import { outcome } from "./screen.ts";

/** @throws Error when the demonstration did not go as it says */
export function expectCall(holds: boolean, what: string): void {
  if (!holds) throw new Error(`the demonstration did not go as it must: ${what}`);
}

/** Shows one call and what became of it. */
export function show(call: string, result: CallOutcome, redacted = false): void {
  if (result.allowed)
    outcome(
      redacted ? "redacted" : "allowed",
      call,
      result.structured === undefined ? result.text : JSON.stringify(result.structured),
    );
  else outcome(result.approvalId === undefined ? "denied" : "waits", call, `${result.code}: ${result.message}`);
}
