import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { LOWEST, SessionTable, Vocabulary, joinLabels, type Label } from "./index.ts";

const vocabulary = new Vocabulary();
const compartment = fc.constantFrom(...vocabulary.labels);
const label: fc.Arbitrary<Label> = fc
  .tuple(fc.array(compartment), fc.constantFrom("trusted" as const, "untrusted" as const))
  .map(([names, integrity]) => ({ compartments: vocabulary.compartmentsOf(names), integrity }));
const untrusted = { compartments: [], integrity: "untrusted" } as const;
const secret = { compartments: ["mnpi"], integrity: "trusted" } as const;

void describe("the lattice of labels", () => {
  void it("joins in any order and grouping to the same label, and never loses anything", () => {
    fc.assert(
      fc.property(label, label, label, (a, b, c) => {
        assert.deepEqual(joinLabels(a, b), joinLabels(b, a));
        assert.deepEqual(joinLabels(a, joinLabels(b, c)), joinLabels(joinLabels(a, b), c));
        assert.equal(joinLabels(a, a), a);
        assert.equal(joinLabels(a, LOWEST), a);
        assert.deepEqual(joinLabels(a, vocabulary.highest), vocabulary.highest);
        for (const name of [...a.compartments, ...b.compartments])
          assert.ok(joinLabels(a, b).compartments.includes(name));
      }),
    );
  });

  void it("keeps labels of one rank apart, and has one linear label for them", () => {
    const both = vocabulary.compartmentsOf(["mnpi", "hipaa_phi", "public", "mnpi"]);
    assert.deepEqual(both, ["hipaa_phi", "mnpi"]);
    assert.equal(vocabulary.linear(both), "hipaa_phi");
    assert.equal(vocabulary.linear([]), "public");
  });

  void it("takes an unknown name for every compartment", () => {
    assert.deepEqual(vocabulary.compartmentsOf(["*"]), vocabulary.highest.compartments);
  });
});

void describe("the integrity of a session", () => {
  const table = (scope: "session" | "principal" = "session", keepsUntrusted = true): SessionTable =>
    new SessionTable({
      vocabulary,
      integrityScope: scope,
      keepsUntrusted,
      maxSessions: 10,
      maxPerPrincipal: 10,
      idleMs: 1000,
      floorMs: 1000,
    });

  void it("is its own under the scope session, and the principal's under the scope principal", () => {
    for (const scope of ["session", "principal"] as const) {
      const sessions = table(scope);
      const [first, second, other] = [
        sessions.openByLabel("a", null),
        sessions.openByLabel("a", "second"),
        sessions.openByLabel("b", null),
      ];
      first.raise(untrusted);
      assert.deepEqual(
        [first.integrity, second.integrity, other.integrity],
        ["untrusted", scope === "session" ? "trusted" : "untrusted", "trusted"],
      );
    }
  });

  void it("leaves confidentiality as it is, and is left by it", () => {
    const session = table().openByLabel("a", null);
    session.raise(secret);
    assert.deepEqual([session.integrity, session.sensitivity], ["trusted", "mnpi"]);
    session.raise(untrusted);
    assert.deepEqual([session.integrity, session.compartments], ["untrusted", ["mnpi"]]);
  });

  void it("keeps consequential tools from an untrusted session, and from one opened beside the default one", () => {
    const sessions = table();
    const first = sessions.openByLabel("a", null);
    assert.equal(first.mayCallConsequential, true);
    assert.equal(sessions.open("a").mayCallConsequential, true);
    sessions.openByLabel("a", "reading").raise(untrusted);
    assert.equal(first.mayCallConsequential, true, "the default session has seen nothing");
    for (const opened of [sessions.open("a"), sessions.openByLabel("a", "new")])
      assert.deepEqual([opened.integrity, opened.mayCallConsequential], ["trusted", false]);
    first.raise(untrusted);
    assert.equal(first.mayCallConsequential, false);
  });

  void it("is remembered of a principal without sessions where something depends on it", () => {
    for (const keepsUntrusted of [true, false]) {
      const sessions = table("session", keepsUntrusted);
      const session = sessions.openByLabel("a", null);
      session.raise(untrusted);
      sessions.close(session);
      assert.equal(sessions.labelOf("a").integrity, keepsUntrusted ? "untrusted" : "trusted");
    }
  });

  void it("tells a session that saw all labelled data from one that did not", () => {
    const sessions = table();
    const [first, second] = [sessions.openByLabel("a", null), sessions.openByLabel("a", "second")];
    const seen = (): readonly boolean[] => [first.hasSeenAllLabelled, second.hasSeenAllLabelled];
    first.raise(untrusted);
    assert.deepEqual(seen(), [true, true], "public data belongs to no compartment");
    first.raise(secret);
    assert.deepEqual(seen(), [true, false]);
    second.raise(secret);
    assert.deepEqual(seen(), [false, false], "the same compartment, and other data of it");
    sessions.reset(first);
    assert.deepEqual(seen(), [false, false], "the second session still has what it saw");
    sessions.reset(second);
    assert.deepEqual(seen(), [true, true]);
    sessions.restoreFloor("a", secret);
    assert.deepEqual(seen(), [false, false], "an earlier instance's sessions are others");
  });

  void it("is lowered by a reset, in the session it names", () => {
    const sessions = table();
    const session = sessions.openByLabel("a", null);
    session.raise({ ...secret, integrity: "untrusted" });
    sessions.reset(session);
    assert.deepEqual([session.integrity, session.own, sessions.labelOf("a")], ["trusted", LOWEST, LOWEST]);
  });
});
