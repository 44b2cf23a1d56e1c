import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { CmcpError } from "@cmcp/boundary";
import type { Findings } from "@cmcp/findings";
import { Vocabulary } from "@cmcp/session";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { makeCall, permitFor, requestFor, sessionOf } from "../testing/calls.ts";
import { FindingLabels } from "./finding-labels.ts";
import { journalAnswer, journalIntent, type IntentPorts } from "./journal-intent.ts";
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
  const step = await journalIntent(call, permitFor(target), {
    vocabulary,
    labels: NO_LABELS,
    recordIntent,
    hasWitnesses: false,
    namesCatalog: false,
  });
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
      hasWitnesses: false,
      namesCatalog: false,
    });
  };
  await journal(null);
  await journal("pii");
  recorded.session.raise(labelOf("mnpi"));
  await journal("pii");
  assert.deepEqual(labels, ["public", "pii", vocabulary.max("mnpi", "pii")]);
});

for (const code of ["AUDIT_STORE_UNAVAILABLE", "WITNESS_UNAVAILABLE"] as const)
  test(`a call whose intent ends with ${code} is not sent`, async () => {
    const target = targetOf(catalog, requestFor());
    const recordIntent = (): Promise<void> => Promise.reject(new CmcpError(code, "late"));
    const step = await journalIntent(makeCall(), permitFor(target), {
      vocabulary,
      labels: NO_LABELS,
      recordIntent,
      hasWitnesses: false,
      namesCatalog: false,
    });
    assert.ok(step.kind === "ending" && step.outcome.kind === "error");
    assert.deepEqual([step.decision, step.sent, step.outcome.code], ["fault", false, code]);
    assert.equal(step.detail["outcome"], "not-sent");
  });

test("an answer needs an intent of its own where the log has witnesses, and leaves only if that is recorded", async () => {
  const target = targetOf(catalog, requestFor());
  const [call, permit] = [makeCall(), permitFor(target)];
  const intents: string[] = [];
  const ports: IntentPorts = {
    vocabulary,
    labels: NO_LABELS,
    recordIntent: async (_, { call_id: id }) => void intents.push(id),
    hasWitnesses: false,
    namesCatalog: false,
  };
  await journalAnswer(call, permit, ports);
  assert.deepEqual(intents, []);
  await journalAnswer(call, permit, { ...ports, hasWitnesses: true });
  assert.deepEqual(intents, [call.id]);
  const recordIntent = (): Promise<void> => Promise.reject(new CmcpError("WITNESS_UNAVAILABLE", "none"));
  const failing = { ...ports, hasWitnesses: true, recordIntent };
  await assert.rejects(journalAnswer(call, permit, failing), {
    code: "WITNESS_UNAVAILABLE",
    detail: { sent: 1 },
  });
});

test("whatever findings on an answer raise is in the intent, which is cosigned before the call leaves", async () => {
  const count = fc.nat(2);
  const findings: fc.Arbitrary<Findings> = fc.record({
    secrets: count,
    personalData: count,
    contacts: count,
    injectionMarks: count,
    injectionScore: count,
    hiddenText: fc.boolean(),
    carryingLinks: count,
    kinds: fc.constant([]),
    complete: fc.boolean(),
  });
  const label = fc.constantFrom("pii", "confidential", "mnpi");
  const configured = fc.record(
    { secrets: label, personal_data: label, contacts: label, injection_marks: label, hidden_text: label },
    { requiredKeys: [] },
  );
  const target = targetOf(catalog, requestFor());
  await fc.assert(
    fc.asyncProperty(configured, findings, async (settings, found) => {
      const labels = new FindingLabels(settings, vocabulary);
      let intended = "";
      const recordIntent: IntentPorts["recordIntent"] = async (_, intent) =>
        void (intended = `${intent.session_sensitivity},${intent.compartments ?? ""}`);
      const ports = { vocabulary, labels, recordIntent, hasWitnesses: true, namesCatalog: false };
      await journalIntent(makeCall(), permitFor(target), ports);
      for (const compartment of labels.of(found)) assert.ok(intended.split(",").includes(compartment), intended);
    }),
  );
});
