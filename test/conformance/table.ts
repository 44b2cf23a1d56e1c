import type { Comparison, Row } from "./comparison.ts";

const LONGEST_MESSAGE = 160;

function mark({ differences }: Row): string {
  if (differences.length === 0) return "";
  return differences.every(({ deviation }) => deviation !== undefined)
    ? "deviates as listed"
    : `${differences.filter(({ deviation }) => deviation === undefined).length} checks differ`;
}

/** The comparison as lines for people: two columns for each scenario, and under the table what differs and why. */
export function* tableLines(title: string, { rows, stale }: Comparison): Generator<string> {
  const width = Math.max(...rows.map(({ scenario }) => scenario.length));
  yield `${title.padEnd(width)}  direct   gateway`;
  for (const row of rows)
    yield `${row.scenario.padEnd(width)}  ${row.direct.toLowerCase().padEnd(8)} ${row.through.toLowerCase().padEnd(8)} ${mark(row)}`.trimEnd();
  for (const { scenario, differences } of rows) {
    for (const { clause, reason } of new Set(differences.flatMap(({ deviation }) => deviation ?? [])))
      yield `  deviates ${scenario}: ${reason} (${clause})`;
    for (const { check, direct, through, message, deviation } of differences) {
      if (deviation === undefined)
        yield `  DIFFERS ${scenario} ${check}: ${direct} direct, ${through} through the gateway. ${(message ?? "").replaceAll(/\s+/g, " ").slice(0, LONGEST_MESSAGE)}`.trimEnd();
    }
  }
  for (const { deviation, check } of stale)
    yield `  STALE ${deviation.scenario} ${check}: listed as ${deviation.outcomes[check]} through the gateway, which did not occur`;
}
