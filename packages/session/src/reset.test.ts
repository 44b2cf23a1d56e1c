import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { see, sensitivityOf, table } from "./testing/table.ts";

void describe("an operator's reset", () => {
  void it("takes the principal and the session back to the lowest label, and says from where", () => {
    const sessions = table();
    const session = sessions.openByLabel("a", "x");
    see(session, "hipaa_phi");
    assert.deepEqual(sessions.reset(session), { before: "hipaa_phi", after: "public" });
    assert.deepEqual(
      [session.sensitivity, session.maxSensitivity, session.highestSensitivity],
      ["public", "public", "hipaa_phi"],
    );
    assert.equal(sessions.open("a").maxSensitivity, "public");
    see(session, "pii");
    assert.deepEqual([session.maxSensitivity, session.highestSensitivity], ["pii", "hipaa_phi"]);
    assert.equal(sensitivityOf(sessions, "a"), "pii");
  });

  void it("leaves other principals alone, and the principal's other open sessions their maximum", () => {
    const sessions = table();
    const [one, other, foreign] = [
      sessions.openByLabel("a", "one"),
      sessions.openByLabel("a", "other"),
      sessions.openByLabel("b", "one"),
    ];
    see(foreign, "mnpi");
    see(one, "hipaa_phi");
    sessions.reset(one);
    assert.equal(other.maxSensitivity, "hipaa_phi");
    assert.equal(foreign.sensitivity, "mnpi");
  });

  void it("does not cover what the other open sessions hold: closed, they hold it against the principal again", () => {
    const sessions = table();
    const [one, other, bystander] = [
      sessions.openByLabel("a", "one"),
      sessions.openByLabel("a", "other"),
      sessions.openByLabel("a", "bystander"),
    ];
    see(one, "mnpi");
    see(other, "hipaa_phi");
    sessions.reset(one);
    assert.equal(bystander.maxSensitivity, "hipaa_phi");
    sessions.close(bystander);
    assert.equal(
      sessions.openByLabel("a", "before").maxSensitivity,
      "public",
      "what was only inherited is the operator's to forgive",
    );
    sessions.close(other);
    assert.equal(sensitivityOf(sessions, "a"), "hipaa_phi");
    assert.equal(sessions.open("a").maxSensitivity, "hipaa_phi");
  });

  void it("lets the principal be forgotten once its sessions are closed", () => {
    const sessions = table();
    const session = sessions.open("a");
    see(session, "hipaa_phi");
    sessions.reset(session);
    sessions.close(session);
    assert.equal(sessions.principals, 0);
  });
});
