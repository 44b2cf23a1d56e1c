import type { Deviation, Outcome } from "./deviations.ts";
import { STATUSES, type Check, type Results } from "./suite.ts";

/** A check that differs between the columns. */
export interface Difference {
  readonly check: string;
  readonly direct: Outcome;
  readonly through: Outcome;
  /** What the suite says of the outcome through the gateway. */
  readonly message: string | undefined;
  /** The listed deviation that explains it. */
  readonly deviation: Deviation | undefined;
}

/** A check that comes out otherwise under the seal. Nothing explains it. */
export interface SealDifference {
  readonly check: string;
  readonly plain: Outcome;
  readonly sealed: Outcome;
  /** What the suite says of the outcome under the seal. */
  readonly message: string | undefined;
}

/** One line of the table. */
export interface Row {
  readonly scenario: string;
  /** Gravest status of the scenario's checks. */
  readonly direct: Outcome;
  readonly through: Outcome;
  readonly sealed: Outcome;
  readonly differences: readonly Difference[];
  readonly sealDifferences: readonly SealDifference[];
}

/** One version's scenarios in each column. */
export interface Columns {
  readonly direct: Results;
  /** Through the gateway, in the clear. */
  readonly through: Results;
  /** Through the gateway, under the seal. */
  readonly sealed: Results;
}

/** What the columns of one version's scenarios say. */
export interface Comparison {
  readonly rows: readonly Row[];
  /** Checks of listed deviations that did not come out as listed. */
  readonly stale: readonly { readonly deviation: Deviation; readonly check: string }[];
  /**
   * True when the direct column has no failure and no warning, nothing unexplained differs, the seal changes nothing,
   * and no deviation is stale.
   */
  readonly holds: boolean;
}

type Checks = ReadonlyMap<string, Check>;

const NO_CHECKS: Checks = new Map();

function gravest(checks: Checks): Outcome {
  const seen = new Set(Array.from(checks.values(), ({ status }) => status));
  return STATUSES.find((status) => seen.has(status)) ?? "absent";
}

const outcomeOf = (checks: Checks, check: string): Outcome => checks.get(check)?.status ?? "absent";

function differencesOf(direct: Checks, through: Checks, listed: readonly Deviation[]): Difference[] {
  return [...new Set([...direct.keys(), ...through.keys()])].flatMap((check): Difference[] => {
    const [before, after] = [outcomeOf(direct, check), outcomeOf(through, check)];
    // What passes and did not run direct is more than was asked for: such as a header on a request only the gateway makes.
    if (before === after || ((before === "absent" || before === "SKIPPED") && after === "SUCCESS" && direct.size > 0))
      return [];
    const deviation = listed.find(({ outcomes }) => outcomes[check] === after);
    return [{ check, direct: before, through: after, message: through.get(check)?.message, deviation }];
  });
}

function sealDifferencesOf(plain: Checks, sealed: Checks): SealDifference[] {
  return [...new Set([...plain.keys(), ...sealed.keys()])].flatMap((check): SealDifference[] => {
    const [before, after] = [outcomeOf(plain, check), outcomeOf(sealed, check)];
    return before === after ? [] : [{ check, plain: before, sealed: after, message: sealed.get(check)?.message }];
  });
}

/** Checks of listed deviations that did not come out as listed. */
function staleOf(rows: readonly Row[], deviations: readonly Deviation[]): Comparison["stale"] {
  return deviations.flatMap((deviation) => {
    const occurred = new Set(
      rows
        .flatMap(({ differences }) => differences.filter((one) => one.deviation === deviation))
        .map(({ check }) => check),
    );
    return Object.keys(deviation.outcomes).flatMap((check) => (occurred.has(check) ? [] : [{ deviation, check }]));
  });
}

function isClean({ direct, differences, sealDifferences }: Row): boolean {
  return (
    direct !== "FAILURE" &&
    direct !== "WARNING" &&
    direct !== "absent" &&
    differences.every(({ deviation }) => deviation !== undefined) &&
    sealDifferences.length === 0
  );
}

/** Puts the columns side by side, check by check. `deviations` are those of this version and role. */
export function compare({ direct, through, sealed }: Columns, deviations: readonly Deviation[]): Comparison {
  const rows = [...new Set([...direct.keys(), ...through.keys(), ...sealed.keys()])].map((scenario): Row => {
    const left = direct.get(scenario) ?? NO_CHECKS;
    const middle = through.get(scenario) ?? NO_CHECKS;
    const right = sealed.get(scenario) ?? NO_CHECKS;
    const listed = deviations.filter((deviation) => deviation.scenario === scenario);
    return {
      scenario,
      direct: gravest(left),
      through: gravest(middle),
      sealed: gravest(right),
      differences: differencesOf(left, middle, listed),
      sealDifferences: sealDifferencesOf(middle, right),
    };
  });
  const stale = staleOf(rows, deviations);
  return { rows, stale, holds: rows.every(isClean) && stale.length === 0 };
}
