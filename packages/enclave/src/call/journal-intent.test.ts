import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { Vocabulary } from "@cmcp/session";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { makeCall, permitFor, requestFor, sessionOf } from "../testing/calls.ts";
import { journalIntent, type IntentPorts } from "./journal-intent.ts";
import { labelOf } from "../testing/labels.ts";

const NO_LABELS = { all: [] };

const catalog = callCatalog();
const vocabulary = new Vocabulary();
type Recorded = Parameters<IntentPorts["recordIntent"]>;

test("the intent names the request, the policy and the sensitivity that the session may have after it", async () => {
  const intents: Recorded[] = [];
  const recordIntent = async (...intent: Recorded): Promise<void> => void intents.push(intent);
  const recorded = sessionOf();
  const request = requestFor({ name: "person", arguments: { q: "Ann" }, workflowId: "billing" });
  const call = makeCall(request, { recorded });
  const target = targetOf(catalog, request);
  const step = await journalIntent(call, permitFor(target), { vocabulary, labels: NO_LABELS, recordIntent });
  assert.deepEqual(step, { kind: "continue", value: null });
  assert.deepEqual(intents, [
    [
      recorded,
      {
        call_id: call.id,
        tool_name: "person",
        server_identity: "http://127.0.0.1:9/mcp",
        workflow_id: "billing",
        request_hash: call.requestHash,
        policy_hash: call.policy.bundle.hash,
        session_sensitivity: "pii",
        compartments: "pii",
        integrity: "untrusted",
      },
    ],
  ]);
});

test("a label of the caller or of the session counts if it is higher", async () => {
  const labels: string[] = [];
  const recordIntent: IntentPorts["recordIntent"] = async (_, { session_sensitivity: label }) =>
    void labels.push(label);
  const target = targetOf(catalog, requestFor());
  const recorded = sessionOf();
  const journal = async (dataClass: string | null): Promise<void> => {
    await journalIntent(makeCall(requestFor({ dataClass }), { recorded }), permitFor(target), {
      vocabulary,
      labels: NO_LABELS,
      recordIntent,
    });
  };
  await journal(null);
  await journal("pii");
  recorded.session.raise(labelOf("mnpi"));
  await journal("pii");
  assert.deepEqual(labels, ["public", "pii", vocabulary.max("mnpi", "pii")]);
});

test("a call whose intent is not stored is not sent", async () => {
  const target = targetOf(catalog, requestFor());
  const recordIntent = (): Promise<void> => Promise.reject(new CmcpError("AUDIT_STORE_UNAVAILABLE", "late"));
  const step = await journalIntent(makeCall(), permitFor(target), { vocabulary, labels: NO_LABELS, recordIntent });
  assert.ok(step.kind === "ending" && step.outcome.kind === "error");
  assert.deepEqual([step.decision, step.sent, step.outcome.code], ["fault", false, "AUDIT_STORE_UNAVAILABLE"]);
});
