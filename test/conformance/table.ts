import type { Comparison, Row } from "./comparison.ts";
import type { Results, Status } from "./suite.ts";

const LONGEST_MESSAGE = 160;

function mark({ differences, sealDifferences }: Row): string {
  const unexplained = differences.filter(({ deviation }) => deviation === undefined).length + sealDifferences.length;
  if (unexplained > 0) return `${unexplained} checks differ`;
  return differences.length === 0 ? "" : "deviates as listed";
}

function shortened(message: string | undefined): string {
  return (message ?? "").replaceAll(/\s+/g, " ").slice(0, LONGEST_MESSAGE);
}

/** The comparison as lines for people: three columns for each scenario, and under the table what differs and why. */
export function* tableLines(title: string, { rows, stale }: Comparison): Generator<string> {
  const width = Math.max(...rows.map(({ scenario }) => scenario.length));
  yield `${title.padEnd(width)}  direct   gateway  sealed`;
  for (const row of rows) {
    const columns = [row.direct, row.through, row.sealed].map((outcome) => outcome.toLowerCase().padEnd(8)).join(" ");
    yield `${row.scenario.padEnd(width)}  ${columns} ${mark(row)}`.trimEnd();
  }
  for (const { scenario, differences, sealDifferences } of rows) {
    for (const { clause, reason } of new Set(differences.flatMap(({ deviation }) => deviation ?? [])))
      yield `  deviates ${scenario}: ${reason} (${clause})`;
    for (const { check, direct, through, message, deviation } of differences) {
      if (deviation === undefined)
        yield `  DIFFERS ${scenario} ${check}: ${direct} direct, ${through} through the gateway. ${shortened(message)}`.trimEnd();
    }
    for (const { check, plain, sealed, message } of sealDifferences)
      yield `  DIFFERS ${scenario} ${check}: ${plain} in the clear, ${sealed} under the seal. ${shortened(message)}`.trimEnd();
  }
  for (const { deviation, check } of stale)
    yield `  STALE ${deviation.scenario} ${check}: listed as ${deviation.outcomes[check]} through the gateway, which did not occur`;
}

/** One column: what the suite says of the gateway's upstream side by itself, and under it what did not pass. */
export function* authorizationLines(title: string, results: Results): Generator<string> {
  const width = Math.max(...Array.from(results.keys(), (scenario) => scenario.length));
  yield `${title.padEnd(width)}  upstream side`;
  const failed: string[] = [];
  for (const [scenario, checks] of results) {
    const bad = [...checks].filter(([, { status }]) => !passes(status));
    const passed = [...checks.values()].filter(({ status }) => status === "SUCCESS").length;
    yield `${scenario.padEnd(width)}  ${bad.length === 0 ? `success  ${passed} checks` : "failure"}`;
    failed.push(
      ...bad.map(([check, { status, message }]) => `  FAILS ${scenario} ${check}: ${status}. ${shortened(message)}`),
    );
  }
  yield* failed;
}

/** True when every scenario passed, and with something to show for it. */
export function authorizationHolds(results: Results): boolean {
  return [...results.values()].every((checks) => {
    const statuses = Array.from(checks.values(), ({ status }) => status);
    return statuses.every(passes) && statuses.filter((status) => status === "SUCCESS").length > 1;
  });
}

/** Without `SKIPPED`, which shows nothing. */
function passes(status: Status): boolean {
  return status === "SUCCESS" || status === "INFO";
}
