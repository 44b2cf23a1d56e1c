import { approvedOf, type Target } from "@cmcp/catalog";
import { compartmentsOfCall, type Label, type Vocabulary } from "@cmcp/session";
import type { Call } from "./call.ts";
import { invokedToolOf } from "./invoked-tool.ts";

/**
 * The label of what a call can bring back: the compartments of its target and those that the caller declares.
 *
 * @param hasText whether the agent gets free text of the server; text of a server that is not marked as trusted makes a session untrusted
 */
export function dataLabel(
  vocabulary: Vocabulary,
  { request }: Pick<Call, "request">,
  target: Target,
  hasText: boolean,
): Label {
  // A call that declares an unknown label is refused.
  const declared = request.dataClass !== null && vocabulary.has(request.dataClass) ? request.dataClass : null;
  const isStranger = approvedOf(target).server.integrity === "untrusted";
  return {
    compartments: compartmentsOfCall(vocabulary, invokedToolOf(target), declared),
    integrity: hasText && isStranger ? "untrusted" : "trusted",
  };
}
