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

/** One line of the table. */
export interface Row {
  readonly scenario: string;
  /** Gravest status of the scenario's checks. */
  readonly direct: Outcome;
  readonly through: Outcome;
  readonly differences: readonly Difference[];
}

/** What two runs of one version's scenarios say. */
export interface Comparison {
  readonly rows: readonly Row[];
  /** Checks of listed deviations that did not come out as listed. */
  readonly stale: readonly { readonly deviation: Deviation; readonly check: string }[];
  /** True when the direct column has no failure and no warning, nothing unexplained differs, and no deviation is stale. */
  readonly holds: boolean;
}

const NO_CHECKS: ReadonlyMap<string, Check> = new Map();

function gravest(checks: ReadonlyMap<string, Check> | undefined): Outcome {
  const seen = new Set(Array.from(checks?.values() ?? [], ({ status }) => status));
  return STATUSES.find((status) => seen.has(status)) ?? "absent";
}

/** Puts two columns side by side, check by check. `deviations` are those of this version and role. */
export function compare(direct: Results, through: Results, deviations: readonly Deviation[]): Comparison {
  const occurred = new Map<Deviation, Set<string>>(deviations.map((deviation) => [deviation, new Set()]));
  const rows = [...new Set([...direct.keys(), ...through.keys()])].map((scenario): Row => {
    const [left, right] = [direct.get(scenario) ?? NO_CHECKS, through.get(scenario) ?? NO_CHECKS];
    const differences = [...new Set([...left.keys(), ...right.keys()])].flatMap((check): Difference[] => {
      const before: Outcome = left.get(check)?.status ?? "absent";
      const after: Outcome = right.get(check)?.status ?? "absent";
      // What passes and did not run direct is more than was asked for: such as a header on a request only the gateway makes.
      if (before === after || ((before === "absent" || before === "SKIPPED") && after === "SUCCESS" && left.size > 0))
        return [];
      const deviation = deviations.find((listed) => listed.scenario === scenario && listed.outcomes[check] === after);
      if (deviation !== undefined) occurred.get(deviation)?.add(check);
      return [{ check, direct: before, through: after, message: right.get(check)?.message, deviation }];
    });
    return { scenario, direct: gravest(direct.get(scenario)), through: gravest(through.get(scenario)), differences };
  });
  const stale = Array.from(occurred, ([deviation, checks]) =>
    Object.keys(deviation.outcomes).flatMap((check) => (checks.has(check) ? [] : [{ deviation, check }])),
  ).flat();
  const clean = rows.every(
    ({ direct: before, differences }) =>
      before !== "FAILURE" &&
      before !== "WARNING" &&
      before !== "absent" &&
      differences.every(({ deviation }) => deviation !== undefined),
  );
  return { rows, stale, holds: clean && stale.length === 0 };
}
