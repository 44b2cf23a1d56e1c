import type { Peer } from "@cmcp/mcp";
import { sealApprovalState, type ApprovalStates } from "./approval-state.ts";
import type { Call } from "./call.ts";
import type { Ending } from "./ending.ts";

/** What an agent's request is said to wait for while a person consents; approvals have ids of their own. */
const CONSENT = "consent";

/** Who is told of a consent. */
export interface ConsentAsked {
  readonly peer: Pick<Peer, "input" | "capabilities">;
  /** What the answer that the request repeats sent the agent's person to. */
  readonly askedFor: string | null;
  readonly states: ApprovalStates;
}

/**
 * The ending of a call whose server needs a person's consent first, with the link to it. An agent that shows URLs sends its person there
 * once; any other is told the link, as many agents show their model the text alone.
 */
export function requireConsent(call: Call, ending: Ending, { peer, askedFor, states }: ConsentAsked): Ending {
  const { consentUrl: url, ...faulted } = ending;
  if (url === undefined || faulted.outcome.kind !== "error") return ending;
  const { outcome } = faulted;
  const message = `the tool server needs the consent of the person you work for, at ${url}; repeat the call afterwards`;
  const told = { ...outcome, message, data: { ...outcome.data, consent: { url } } };
  const isShowing = peer.input === "retry" && peer.capabilities.elicitation?.url !== undefined;
  const requestState = isShowing && askedFor !== CONSENT ? sealApprovalState(call, CONSENT, states) : null;
  if (requestState === null) return { ...faulted, outcome: told };
  const params = {
    mode: "url",
    message: "The tool server needs your consent.",
    url,
    elicitationId: CONSENT,
  };
  const inputRequests = { [CONSENT]: { method: "elicitation/create", params } };
  return { ...faulted, outcome: { kind: "input", inputRequests, requestState } };
}
