import type { Terminal } from "../command.ts";
import { printLines } from "../verify/print-verdict.ts";
import { AFTER_LOST_STORE, renderChecks, type ReportLine } from "@cmcp/verify";
import type { LogVerdict } from "./check-whole-log.ts";

/** Prints what was found of a log for a person, or as JSON. */
export function printLogVerdict(verdict: LogVerdict, asJson: boolean, terminal: Terminal): void {
  if (asJson) terminal.out.write(`${JSON.stringify(verdict)}\n`);
  else printLines(linesOf(verdict), terminal);
}

function linesOf({ outcome, origin, log, witnessing, signingKey, checks }: LogVerdict): ReportLine[] {
  const anybodys = outcome === "accepted" && origin === "not proven";
  const tone = outcome !== "accepted" ? "bad" : anybodys ? "plain" : "good";
  const headline = `${outcome.toUpperCase()}${anybodys ? ", ORIGIN NOT PROVEN" : ""}`;
  const lost = log.lostStore === null ? "" : AFTER_LOST_STORE;
  return [
    { tone, text: `${headline} (${witnessing}; ${log.size} records of ${log.origin}${lost})` },
    { tone: "plain", text: `root    ${log.root}` },
    ...(signingKey === null ? [] : [{ tone: "plain", text: `key     ${signingKey}` } as const]),
    ...renderChecks(checks),
  ];
}
