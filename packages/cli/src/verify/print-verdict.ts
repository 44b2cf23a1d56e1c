import { renderVerdict, type ReportLine, type Verdict } from "@cmcp/verify";
import type { Terminal } from "../command.ts";

const COLOURS = { good: "\u001b[32m", bad: "\u001b[31m", quiet: "\u001b[2m", plain: "" } as const;

/** Prints a verdict for a person, or as JSON. */
export function printVerdict(verdict: Verdict, asJson: boolean, terminal: Terminal): void {
  if (asJson) terminal.out.write(`${JSON.stringify(verdict)}\n`);
  else printLines(renderVerdict(verdict), terminal);
}

/** Prints the lines of a report. */
export function printLines(lines: readonly ReportLine[], { out, colour }: Terminal): void {
  for (const { tone, text } of lines) out.write(colour ? `${COLOURS[tone]}${text}\u001b[0m\n` : `${text}\n`);
}
