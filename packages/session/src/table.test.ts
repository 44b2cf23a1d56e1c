import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { fromBase64Url } from "@cmcp/boundary";
import { HANDLE_BYTES, MAX_LABEL_LENGTH, MAX_PRINCIPALS } from "./index.ts";
import { see, sensitivityOf, table, vocabulary } from "./testing/table.ts";

void describe("finding sessions", () => {
  void it("finds by handle and id for its principal, and for another as if there were none", () => {
    const sessions = table();
    const mine = sessions.open("a");
    assert.equal(sessions.byHandle("a", mine.handle), mine);
    assert.equal(sessions.byId("a", mine.id), mine);
    assert.equal(sessions.byHandle("b", mine.handle), undefined);
    assert.equal(sessions.byId("b", mine.id), undefined);
    assert.equal(sessions.byHandle("a", mine.id), undefined);
  });

  void it("keeps a label private to its principal", () => {
    const sessions = table();
    const mine = sessions.openByLabel("a", "work");
    assert.equal(sessions.openByLabel("a", "work"), mine);
    assert.notEqual(sessions.openByLabel("b", "work"), mine);
    assert.equal(sessions.openByLabel("b", "work").principalId, "b");
  });

  void it("gives requests without a name their principal's one session, apart from any handle", () => {
    const sessions = table();
    const opened = sessions.open("a");
    const one = sessions.openByLabel("a", null);
    assert.equal(sessions.openByLabel("a", null), one);
    assert.notEqual(one, opened);
    assert.equal(one.label, null);
  });

  void it("shares no label and no default session between endpoints and channels", () => {
    const sessions = table();
    for (const label of [null, "x"]) {
      const places = (["plain", "sealed"] as const).flatMap((channel) =>
        [null, "a", "b"].map((endpoint) => [channel, endpoint] as const),
      );
      const opened = places.map((place) => sessions.openByLabel("a", label, ...place));
      assert.equal(new Set(opened).size, places.length);
      for (const [index, place] of places.entries()) {
        const session = sessions.findByLabel("a", label, ...place);
        assert.equal(session, opened[index]);
        assert.deepEqual([session?.channel, session?.endpoint], place);
      }
    }
  });

  void it("returns a closing session rather than a fresh one beside it", () => {
    const sessions = table();
    const session = sessions.openByLabel("a", null);
    session.state = "closing";
    assert.equal(sessions.openByLabel("a", null), session);
    sessions.close(session);
    assert.notEqual(sessions.openByLabel("a", null), session);
  });

  void it("freezes a session at its close: what its principal sees later is not its", () => {
    const sessions = table();
    const session = sessions.open("a");
    see(session, "pii");
    sessions.close(session);
    see(sessions.open("a"), "hipaa_phi");
    assert.deepEqual(
      [session.sensitivity, session.maxSensitivity, session.highestSensitivity, session.own.compartments],
      ["pii", "pii", "pii", ["pii"]],
    );
    assert.equal(sessions.open("a").sensitivity, "hipaa_phi");
  });

  void it("closing a session opened by handle leaves the unnamed one in place", () => {
    const sessions = table();
    const opened = sessions.open("a");
    const one = sessions.openByLabel("a", null);
    sessions.close(opened);
    assert.equal(sessions.openByLabel("a", null), one);
  });

  void it("gives 32 random bytes as handle and never one twice", () => {
    const sessions = table({ maxSessions: 1000, maxPerPrincipal: 1000 });
    const handles = Array.from({ length: 1000 }, () => sessions.open("a").handle);
    assert.equal(new Set(handles).size, 1000);
    for (const handle of handles) assert.equal(fromBase64Url(handle)?.byteLength, HANDLE_BYTES);
  });

  void it("refuses an empty or over-long label", () => {
    for (const label of ["", "x".repeat(MAX_LABEL_LENGTH + 1)])
      assert.throws(() => table().openByLabel("a", label), { code: "MCP_INVALID_REQUEST" });
    assert.equal(table().openByLabel("a", "x".repeat(256)).label?.length, 256);
    assert.deepEqual([HANDLE_BYTES, MAX_LABEL_LENGTH, MAX_PRINCIPALS], [32, 256, 100_000]);
  });
});

void describe("closing", () => {
  void it("takes the session out of every index, once", () => {
    const sessions = table();
    const session = sessions.openByLabel("a", "x");
    sessions.close(session);
    assert.equal(session.state, "closed");
    assert.equal(sessions.byHandle("a", session.handle), undefined);
    assert.equal(sessions.byId("a", session.id), undefined);
    const next = sessions.openByLabel("a", "x");
    sessions.close(session);
    assert.equal(sessions.openByLabel("a", "x"), next);
    assert.notEqual(next.id, session.id);
  });
});

void describe("a closed session", () => {
  void it("does not come back by being used", () => {
    const sessions = table();
    const session = sessions.open("a");
    sessions.close(session);
    sessions.touch(session);
    assert.equal(sessions.size, 0);
    assert.equal(sessions.byId("a", session.id), undefined);
  });
});

void describe("a session of another table", () => {
  void it("is neither found nor closed", () => {
    const [mine, other] = [table(), table()];
    const session = mine.open("a");
    other.open("a");
    other.close(session);
    assert.equal(session.state, "open");
    assert.equal(mine.byHandle("a", session.handle), session);
  });
});

void describe("sensitivity cannot be laundered", () => {
  void it("follows the principal into new handles, new labels and past a close", () => {
    const sessions = table();
    const first = sessions.open("a");
    const beside = sessions.openByLabel("a", "beside");
    see(first, "hipaa_phi");
    assert.equal(beside.sensitivity, "hipaa_phi");
    assert.equal(beside.maxSensitivity, "hipaa_phi");
    sessions.close(first);
    sessions.close(beside);
    assert.equal(sessions.open("a").sensitivity, "hipaa_phi");
    assert.equal(sessions.openByLabel("a", "new").maxSensitivity, "hipaa_phi");
    assert.equal(sessions.open("b").sensitivity, "public");
  });

  void it("reaches the principal from a call that ends after its session has closed", () => {
    const sessions = table();
    const late = sessions.open("a");
    const other = sessions.openByLabel("a", null);
    sessions.close(late);
    see(late, "mnpi");
    assert.equal(other.sensitivity, "mnpi");
    assert.equal(late.maxSensitivity, "mnpi");
  });

  void it("reaches a principal that was forgotten while its last call was under way", () => {
    const sessions = table();
    const [late, later] = [sessions.open("a"), sessions.open("b")];
    sessions.close(late);
    sessions.close(later);
    const returned = sessions.open("b");
    see(late, "mnpi");
    see(later, "pii");
    assert.equal(sessions.open("a").sensitivity, "mnpi");
    assert.equal(returned.sensitivity, "pii");
    assert.equal(returned.maxSensitivity, "pii");
  });

  void it("never falls and never reaches another principal, whatever is opened, seen and closed", () => {
    const step = fc.record({
      who: fc.constantFrom("a", "b"),
      what: fc.constantFrom("open", "label", "close", "see"),
      domain: fc.constantFrom("external", "pii", "internal", "mnpi"),
      pick: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const sessions = table({ maxSessions: 1000, maxPerPrincipal: 1000 });
        const expected: Record<string, string> = { a: "public", b: "public" };
        for (const { who, what, domain, pick } of steps) {
          const own = sessions.sessions().filter((session) => session.principalId === who);
          const chosen = own[pick % Math.max(1, own.length)];
          if (what === "open") sessions.open(who);
          else if (what === "label") sessions.openByLabel(who, `l${pick}`);
          else if (what === "close" && chosen !== undefined) sessions.close(chosen);
          else if (what === "see" && chosen !== undefined) {
            see(chosen, domain);
            expected[who] = vocabulary.max(expected[who] ?? "public", vocabulary.floorOfDomain(domain));
          }
          for (const name of ["a", "b"]) assert.equal(sensitivityOf(sessions, name), expected[name]);
          for (const session of sessions.sessions()) assert.equal(session.sensitivity, expected[session.principalId]);
        }
      }),
    );
  });
});
