import assert from "node:assert/strict";
import { test } from "node:test";
import type { Findings } from "@cmcp/findings";
import { Vocabulary } from "@cmcp/session";
import { FindingLabels, type LabelledClass } from "./finding-labels.ts";

const vocabulary = new Vocabulary();
const [CONFIDENTIAL, PII] = [vocabulary.compartmentsOf(["confidential"]), vocabulary.compartmentsOf(["pii"])];
const NOTHING: Findings = {
  secrets: 0,
  personalData: 0,
  contacts: 0,
  injectionMarks: 0,
  injectionScore: 100,
  hiddenText: false,
  carryingLinks: 0,
  kinds: [],
  complete: true,
};
const ONE: Readonly<Record<LabelledClass, Findings>> = {
  secrets: { ...NOTHING, secrets: 1 },
  personal_data: { ...NOTHING, personalData: 1 },
  contacts: { ...NOTHING, contacts: 1 },
  injection_marks: { ...NOTHING, injectionMarks: 1 },
  hidden_text: { ...NOTHING, hiddenText: true },
  carrying_links: { ...NOTHING, carryingLinks: 1 },
};

test("one finding of a class raises the label of its class, and of no other", () => {
  for (const of of Object.keys(ONE) as LabelledClass[]) {
    const labels = new FindingLabels({ [of]: "confidential" }, vocabulary);
    for (const [found, findings] of Object.entries(ONE))
      assert.deepEqual(labels.of(findings), found === of ? CONFIDENTIAL : [], `${found} under ${of}`);
    assert.deepEqual(labels.of(NOTHING), [], of);
    assert.deepEqual(labels.of({ ...NOTHING, complete: false }), CONFIDENTIAL, of);
  }
});

test("the labels of several classes are joined, and without any none is raised", () => {
  const labels = new FindingLabels({ secrets: "confidential", contacts: "pii" }, vocabulary);
  const both = [...CONFIDENTIAL, ...PII].toSorted();
  assert.deepEqual(labels.of({ ...NOTHING, secrets: 1, contacts: 1 }), both);
  assert.deepEqual([labels.all, labels.isConfigured], [both, true]);
  const none = new FindingLabels({}, vocabulary);
  assert.deepEqual([none.all, none.isConfigured, none.of({ ...ONE.secrets, complete: false })], [[], false, []]);
});
