import assert from "node:assert/strict";
import { test } from "node:test";
import { Vocabulary } from "@cmcp/session";
import { sessionLabels } from "./session-labels.ts";

const vocabulary = new Vocabulary({ board: 5 });

test("of one label the other follows, and without any nothing was seen", () => {
  assert.deepEqual(sessionLabels({}, vocabulary), { current: "public", max: "public" });
  assert.deepEqual(sessionLabels({ session_max_sensitivity: "board" }, vocabulary), { current: "board", max: "board" });
  assert.deepEqual(sessionLabels({ session_sensitivity: "hipaa_phi" }, vocabulary), {
    current: "hipaa_phi",
    max: "hipaa_phi",
  });
  assert.deepEqual(sessionLabels({ session_sensitivity: "public", session_max_sensitivity: "pii" }, vocabulary), {
    current: "public",
    max: "pii",
  });
});

test("a maximum below the label, or that a session would not call so, is refused", () => {
  for (const [current, max] of [
    ["hipaa_phi", "public"],
    ["board", "hipaa_phi"],
    ["hipaa_phi", "mnpi"],
  ]) {
    assert.throws(
      () => sessionLabels({ session_sensitivity: current, session_max_sensitivity: max }, vocabulary),
      { code: "USAGE", message: /is impossible with/ },
      `${current} ${max}`,
    );
  }
  assert.equal(
    sessionLabels({ session_sensitivity: "mnpi", session_max_sensitivity: "hipaa_phi" }, vocabulary).max,
    "hipaa_phi",
  );
});

test("a label that is not known is refused in either place", () => {
  for (const member of ["session_sensitivity", "session_max_sensitivity"]) {
    assert.throws(() => sessionLabels({ [member]: "secret" }, vocabulary), {
      code: "USAGE",
      message: /label secret is not known/,
    });
  }
});
