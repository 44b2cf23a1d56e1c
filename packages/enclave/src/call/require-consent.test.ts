import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { agentPeer, makeCall } from "../testing/calls.ts";
import { lookupCatalog } from "../testing/lookup.ts";
import { openApprovalState } from "./approval-state.ts";
import { fail, type Ending } from "./ending.ts";
import { RequestStates } from "./request-state.ts";
import { requireConsent } from "./require-consent.ts";

const URL = "https://login.example/authorize?state=s";
const PERMIT = {
  target: { kind: "tool", tool: lookupCatalog().tool },
  decision: "allow",
  rule: "r",
  redactFields: [],
  keepFields: [],
  advisory: null,
} as const;

function needing(detail: Record<string, string | number> = { sent: 0, consent_url: URL }): Ending {
  return fail(PERMIT, new CmcpError("CONSENT_REQUIRED", "a person first", { detail }));
}

const states = (): RequestStates => new RequestStates(() => 0);
const showing = agentPeer({ input: "retry", capabilities: { elicitation: { url: {} } } }).peer;

test("an agent is told the link, in the text and beside it, and the entry has neither", () => {
  const { outcome, detail, ...rest } = requireConsent(makeCall(), needing(), {
    peer: agentPeer().peer,
    askedFor: null,
    states: states(),
  });
  assert.ok(outcome.kind === "error" && outcome.message.includes(URL));
  assert.deepEqual(outcome.data["consent"], { url: URL });
  assert.deepEqual(detail, { error_code: "CONSENT_REQUIRED", outcome: "not-sent" });
  assert.equal("consentUrl" in rest, false);
});

test("an agent that shows URLs sends its person there once, and its request comes back as it was", () => {
  const call = makeCall();
  const own = states();
  const { outcome } = requireConsent(call, needing(), { peer: showing, askedFor: null, states: own });
  assert.ok(outcome.kind === "input");
  assert.deepEqual(outcome.inputRequests?.["consent"], {
    method: "elicitation/create",
    params: { mode: "url", message: "The tool server needs your consent.", url: URL, elicitationId: "consent" },
  });
  const repeated = { ...call.request, input: { responses: {}, state: outcome.requestState } };
  const { request, askedFor } = openApprovalState({ recorded: call.recorded, request: repeated }, own);
  assert.deepEqual(request, call.request);
  const again = requireConsent(call, needing(), { peer: showing, askedFor, states: own });
  assert.equal(again.outcome.kind, "error", "the person has not consented, and is not sent there in circles");
});

test("any other ending stays as it is", () => {
  const ending = needing({ sent: 0 });
  assert.equal(requireConsent(makeCall(), ending, { peer: showing, askedFor: null, states: states() }), ending);
});
