import assert from "node:assert/strict";
import { test } from "node:test";
import { Vocabulary } from "@cmcp/session";
import { sessionLabels } from "./session-labels.ts";

const vocabulary = new Vocabulary({ vocabulary: { board: 5 } });
const labels = (written: Partial<Parameters<typeof sessionLabels>[0]>) =>
  sessionLabels({ compartments: [], ...written }, vocabulary);

test("of one label the other follows, and without any nothing was seen", () => {
  assert.deepEqual(labels({}), { current: "public", max: "public", compartments: [] });
  assert.deepEqual(labels({ session_max_sensitivity: "board" }), {
    current: "board",
    max: "board",
    compartments: ["board"],
  });
  assert.deepEqual(labels({ session_sensitivity: "hipaa_phi" }), {
    current: "hipaa_phi",
    max: "hipaa_phi",
    compartments: ["hipaa_phi"],
  });
  assert.deepEqual(labels({ session_sensitivity: "public", session_max_sensitivity: "pii" }), {
    current: "public",
    max: "pii",
    compartments: ["pii"],
  });
});

test("compartments raise the maximum, and one above a given maximum is refused", () => {
  const { max, compartments } = labels({ session_sensitivity: "pii", compartments: ["mnpi", "hipaa_phi"] });
  assert.deepEqual([max, compartments], ["hipaa_phi", ["hipaa_phi", "mnpi", "pii"]]);
  assert.throws(() => labels({ session_max_sensitivity: "pii", compartments: ["mnpi"] }), { code: "USAGE" });
  assert.throws(() => labels({ compartments: ["unknown"] }), { code: "USAGE" });
});

test("a maximum below the label, or that a session would not call so, is refused", () => {
  for (const [current, max] of [
    ["hipaa_phi", "public"],
    ["board", "hipaa_phi"],
    ["hipaa_phi", "mnpi"],
  ]) {
    assert.throws(
      () => labels({ session_sensitivity: current, session_max_sensitivity: max }),
      { code: "USAGE", message: /is impossible with/ },
      `${current} ${max}`,
    );
  }
  assert.equal(labels({ session_sensitivity: "mnpi", session_max_sensitivity: "hipaa_phi" }).max, "hipaa_phi");
});

test("a label that is not known is refused in either place", () => {
  for (const member of ["session_sensitivity", "session_max_sensitivity"]) {
    assert.throws(() => labels({ [member]: "secret" }), {
      code: "USAGE",
      message: /label secret is not known/,
    });
  }
});
