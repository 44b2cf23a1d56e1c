import { CmcpError } from "@cmcp/boundary";
import { LOWEST_LABEL, type Vocabulary } from "@cmcp/session";

/** What a session stands at, and the highest it has stood at. */
export interface SessionLabels {
  readonly current: string;
  readonly max: string;
  /** All that {@link max} stands for. */
  readonly compartments: readonly string[];
}

/**
 * The labels of a session by what is written of it: of one label the other follows, without any the principal has
 * seen nothing.
 * @throws CmcpError `USAGE` for a label that is not known, or a maximum that no session at that label has
 */
export function sessionLabels(
  written: {
    readonly session_sensitivity?: string | undefined;
    readonly session_max_sensitivity?: string | undefined;
    readonly compartments: readonly string[];
  },
  vocabulary: Vocabulary,
): SessionLabels {
  const current = written.session_sensitivity ?? written.session_max_sensitivity ?? LOWEST_LABEL;
  const { session_max_sensitivity: highest = current } = written;
  for (const label of [current, highest, ...written.compartments])
    if (!vocabulary.has(label))
      throw new CmcpError("USAGE", `sensitivity label ${label} is not known; give its rank in vocabulary`);
  const max = written.session_max_sensitivity ?? vocabulary.linear([current, ...written.compartments]);
  // As a session joins them: of two labels with one rank, one counts as the higher.
  const compartments = vocabulary.compartmentsOf([current, max, ...written.compartments]);
  const atLeast = vocabulary.linear(compartments);
  if (atLeast !== max)
    throw new CmcpError(
      "USAGE",
      `session_max_sensitivity ${max} is impossible with session_sensitivity ${current} and the compartments: the highest a session ` +
        `has stood at is then at least ${atLeast}`,
    );
  return { current, max, compartments };
}
