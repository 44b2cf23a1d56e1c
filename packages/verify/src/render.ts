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

/** What a headline says of a log whose epoch is not the first. */
export const AFTER_LOST_STORE = ", AFTER A LOST STORE";

/** A verdict as a person reads it: the outcome first, then every check. */
export function renderVerdict(verdict: Verdict): ReportLine[] {
  const { outcome, origin } = verdict;
  // A reader of the first word alone must not conclude that the origin is proven.
  const anybodys = outcome === "accepted" && origin === "not proven";
  const lines: ReportLine[] = [
    {
      tone: outcome !== "accepted" ? "bad" : anybodys ? "plain" : "good",
      text: `${outcome.toUpperCase()}${anybodys ? ", ORIGIN NOT PROVEN" : ""} (${headline(verdict)})`,
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
  if (verdict.agent !== undefined) lines.push({ tone: "plain", text: `agent   ${agentText(verdict.agent)}` });
  return [...lines, ...renderChecks(verdict.checks)];
}

function agentText({ agentId, manifestVerified }: NonNullable<Verdict["agent"]>): string {
  return `${agentId}, ${manifestVerified ? "as its manifest says" : "by the enclave's word: its manifest was not verified here"}`;
}

/** A line for each check. */
export function renderChecks(checks: readonly Check[]): ReportLine[] {
  return checks.map(({ name, status, code, why }) => {
    const [tone, mark] = MARKS[status];
    return { tone, text: `  ${mark.padEnd(13)} ${name}: ${why}${code === undefined ? "" : ` [${code}]`}` };
  });
}

/** How much is covered, what it is worth, and under which conditions the session ran. */
function headline({ outcome, completeness, coveredEntries, assurance, conditions, log }: Verdict): string {
  const covered = coveredEntries === null ? completeness : `${completeness}, ${coveredEntries} entries`;
  const parts = [covered, `assurance: ${assurance}`];
  if (outcome === "accepted") {
    const { mode, isolation, channel, history, advisoryDenials } = conditions;
    parts.push(
      `mode: ${mode ?? "unknown"}`,
      `isolation: ${isolation ?? "unknown"}`,
      `channel: ${channel ?? "unknown"}`,
      `history: ${history}`,
      `advisory denials: ${advisoryDenials ?? "unknown"}`,
      ...(log === undefined ? [] : [`log: ${log.witnessing}${log.lostStore === null ? "" : AFTER_LOST_STORE}`]),
    );
  }
  return parts.join("; ");
}
