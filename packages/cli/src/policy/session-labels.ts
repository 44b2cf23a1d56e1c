import { CmcpError } from "@cmcp/boundary";
import { LOWEST_LABEL, type Vocabulary } from "@cmcp/session";

/** What a session stands at, and the highest it has stood at. */
export interface SessionLabels {
  readonly current: string;
  readonly max: string;
}

/**
 * The labels of a session by what is written of it: of one label the other follows, without any the principal has
 * seen nothing.
 * @throws CmcpError `USAGE` for a label that is not known, or a maximum that no session at that label has
 */
export function sessionLabels(
  written: { readonly session_sensitivity?: string | undefined; readonly session_max_sensitivity?: string | undefined },
  vocabulary: Vocabulary,
): SessionLabels {
  const current = written.session_sensitivity ?? written.session_max_sensitivity ?? LOWEST_LABEL;
  const max = written.session_max_sensitivity ?? current;
  for (const label of [current, max])
    if (!vocabulary.has(label))
      throw new CmcpError("USAGE", `sensitivity label ${label} is not known; give its rank in vocabulary`);
  // As a session joins them: of two labels with one rank, the first by name counts as the higher.
  const atLeast = vocabulary.max(current, max);
  if (atLeast !== max)
    throw new CmcpError(
      "USAGE",
      `session_max_sensitivity ${max} is impossible with session_sensitivity ${current}: the highest a session ` +
        `has stood at is then at least ${atLeast}`,
    );
  return { current, max };
}
