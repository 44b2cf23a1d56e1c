import type { Check, Verdict } from "./verdict.ts";

/** How a line of the report is meant, for whoever colours it. */
export type Tone = "good" | "bad" | "quiet" | "plain";

/** One line of a readable report. */
export interface ReportLine {
  readonly tone: Tone;
  readonly text: string;
}

const MARKS = {
  passed: ["good", "passed"],
  failed: ["bad", "FAILED"],
  "not-applicable": ["quiet", "n/a"],
  "not-performed": ["quiet", "not performed"],
} as const satisfies Record<Check["status"], readonly [Tone, string]>;

/** A verdict as a person reads it: the outcome first, then every check. */
export function renderVerdict(verdict: Verdict): ReportLine[] {
  const { outcome, origin, completeness, assurance } = verdict;
  // Whoever reads the first word only must not take a record for somebody's that may be anybody's.
  const anybodys = outcome === "accepted" && origin === "not proven";
  const lines: ReportLine[] = [
    {
      tone: outcome !== "accepted" ? "bad" : anybodys ? "plain" : "good",
      text: `${outcome.toUpperCase()}${anybodys ? ", ORIGIN NOT PROVEN" : ""} (${completeness}; assurance: ${assurance})`,
    },
  ];
  if (anybodys)
    lines.push({
      tone: "plain",
      text: "origin  not proven: the parts fit together, and anybody could have made them (--trusted-key says whose they must be)",
    });
  else if (outcome === "accepted") lines.push({ tone: "plain", text: `origin  ${origin}` });
  if (verdict.session !== null) lines.push({ tone: "plain", text: `session ${verdict.session}` });
  if (verdict.signingKey !== null) lines.push({ tone: "plain", text: `key     ${verdict.signingKey}` });
  for (const { name, status, code, why } of verdict.checks) {
    const [tone, mark] = MARKS[status];
    lines.push({ tone, text: `  ${mark.padEnd(13)} ${name}: ${why}${code === undefined ? "" : ` [${code}]`}` });
  }
  return lines;
}
