import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { fromBase64Url } from "@cmcp/boundary";
import { HANDLE_BYTES, MAX_LABEL_LENGTH, MAX_PRINCIPALS, SessionTable, Vocabulary, recordCall, type Session } from "./index.ts";

const vocabulary = new Vocabulary();
const table = (limits: { maxSessions?: number; maxPerPrincipal?: number } = {}): SessionTable => new SessionTable({ vocabulary, maxSessions: 100, maxPerPrincipal: 10, ...limits });
const see = (session: Session, domain: string): void => {
  recordCall(vocabulary, session, { callId: "c", tool: { toolName: "t", complianceDomain: domain, sensitivityLevel: "public" }, decision: "allow", sent: true });
};

void describe("finding sessions", () => {
  void it("finds by handle and id for its principal, and for another as if there were none", () => {
    const sessions = table();
    const mine = sessions.openHandle("a");
    assert.equal(sessions.byHandle("a", mine.handle), mine);
    assert.equal(sessions.byId("a", mine.id), mine);
    assert.equal(sessions.byHandle("b", mine.handle), undefined);
    assert.equal(sessions.byId("b", mine.id), undefined);
    assert.equal(sessions.byHandle("a", mine.id), undefined);
  });

  void it("keeps a label private to its principal", () => {
    const sessions = table();
    const mine = sessions.byLabel("a", "work");
    assert.equal(sessions.byLabel("a", "work"), mine);
    assert.notEqual(sessions.byLabel("b", "work"), mine);
    assert.equal(sessions.byLabel("b", "work").principalId, "b");
  });

  void it("gives requests without a name their principal's one session, apart from any handle", () => {
    const sessions = table();
    const opened = sessions.openHandle("a");
    const one = sessions.byLabel("a", null);
    assert.equal(sessions.byLabel("a", null), one);
    assert.notEqual(one, opened);
    assert.equal(one.label, null);
  });

  void it("returns a closing session rather than a fresh one beside it", () => {
    const sessions = table();
    const session = sessions.byLabel("a", null);
    session.state = "closing";
    assert.equal(sessions.byLabel("a", null), session);
    sessions.close(session);
    assert.notEqual(sessions.byLabel("a", null), session);
  });

  void it("closing a session opened by handle leaves the unnamed one in place", () => {
    const sessions = table();
    const opened = sessions.openHandle("a");
    const one = sessions.byLabel("a", null);
    sessions.close(opened);
    assert.equal(sessions.byLabel("a", null), one);
  });

  void it("gives 32 random bytes as handle and never one twice", () => {
    const sessions = table({ maxSessions: 1000, maxPerPrincipal: 1000 });
    const handles = Array.from({ length: 1000 }, () => sessions.openHandle("a").handle);
    assert.equal(new Set(handles).size, 1000);
    for (const handle of handles) assert.equal(fromBase64Url(handle)?.byteLength, HANDLE_BYTES);
  });

  void it("refuses an empty or over-long label", () => {
    for (const label of ["", "x".repeat(MAX_LABEL_LENGTH + 1)]) assert.throws(() => table().byLabel("a", label), { code: "MCP_INVALID_REQUEST" });
  });
});

void describe("bounds", () => {
  void it("refuses a principal's session beyond its limit while another still opens one", () => {
    const sessions = table({ maxPerPrincipal: 2 });
    const first = sessions.openHandle("a");
    sessions.byLabel("a", "x");
    assert.throws(() => sessions.byLabel("a", null), { code: "SESSION_LIMIT_REACHED" });
    sessions.openHandle("b");
    sessions.close(first);
    sessions.byLabel("a", null);
    assert.equal(sessions.size, 3);
  });

  void it("refuses any session beyond the total and remembers nothing of who asked", () => {
    const sessions = table({ maxSessions: 1 });
    sessions.openHandle("a");
    assert.throws(() => sessions.openHandle("b"), { code: "SESSION_LIMIT_REACHED" });
    assert.equal(sessions.principals, 1);
  });

  void it("leaves nothing after 100 000 sessions opened and closed", () => {
    const sessions = table();
    for (let index = 0; index < 100_000; index += 1) {
      const principal = `p${index % 5000}`;
      sessions.close(index % 2 === 0 ? sessions.openHandle(principal) : sessions.byLabel(principal, `label ${index}`));
    }
    assert.equal(sessions.size, 0);
    assert.equal(sessions.principals, 0);
    assert.deepEqual(sessions.sessions(), []);
  });

  void it("refuses a further principal rather than forgetting what one has seen", () => {
    const sessions = table();
    for (let index = 0; index < MAX_PRINCIPALS; index += 1) {
      const session = sessions.openHandle(`p${index}`);
      see(session, "pii");
      sessions.close(session);
    }
    assert.throws(() => sessions.openHandle("one more"), { code: "SESSION_LIMIT_REACHED" });
    assert.equal(sessions.sensitivityOf("p0"), "pii");
    assert.equal(sessions.openHandle("p0").sensitivity, "pii");
  });
});

void describe("closing", () => {
  void it("takes the session out of every index, once", () => {
    const sessions = table();
    const session = sessions.byLabel("a", "x");
    sessions.close(session);
    assert.equal(session.state, "closed");
    assert.equal(sessions.byHandle("a", session.handle), undefined);
    assert.equal(sessions.byId("a", session.id), undefined);
    const next = sessions.byLabel("a", "x");
    sessions.close(session);
    assert.equal(sessions.byLabel("a", "x"), next);
    assert.notEqual(next.id, session.id);
  });
});

void describe("sensitivity cannot be laundered", () => {
  void it("follows the principal into new handles, new labels and past a close", () => {
    const sessions = table();
    const first = sessions.openHandle("a");
    const beside = sessions.byLabel("a", "beside");
    see(first, "hipaa_phi");
    assert.equal(beside.sensitivity, "hipaa_phi");
    assert.equal(beside.maxSensitivity, "hipaa_phi");
    sessions.close(first);
    sessions.close(beside);
    assert.equal(sessions.openHandle("a").sensitivity, "hipaa_phi");
    assert.equal(sessions.byLabel("a", "new").maxSensitivity, "hipaa_phi");
    assert.equal(sessions.openHandle("b").sensitivity, "public");
  });

  void it("reaches the principal from a call that ends after its session has closed", () => {
    const sessions = table();
    const late = sessions.openHandle("a");
    const other = sessions.byLabel("a", null);
    sessions.close(late);
    see(late, "mnpi");
    assert.equal(other.sensitivity, "mnpi");
    assert.equal(late.maxSensitivity, "mnpi");
  });

  void it("reaches a principal that was forgotten while its last call was under way", () => {
    const sessions = table();
    const [late, later] = [sessions.openHandle("a"), sessions.openHandle("b")];
    sessions.close(late);
    sessions.close(later);
    const returned = sessions.openHandle("b");
    see(late, "mnpi");
    see(later, "pii");
    assert.equal(sessions.openHandle("a").sensitivity, "mnpi");
    assert.equal(returned.sensitivity, "pii");
    assert.equal(returned.maxSensitivity, "pii");
  });

  void it("never falls and never reaches another principal, whatever is opened, seen and closed", () => {
    const step = fc.record({ who: fc.constantFrom("a", "b"), what: fc.constantFrom("open", "label", "close", "see"), domain: fc.constantFrom("external", "pii", "internal", "mnpi"), pick: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const sessions = table({ maxSessions: 1000, maxPerPrincipal: 1000 });
        const expected: Record<string, string> = { a: "public", b: "public" };
        for (const { who, what, domain, pick } of steps) {
          const own = sessions.sessions().filter((session) => session.principalId === who);
          const chosen = own[pick % Math.max(1, own.length)];
          if (what === "open") sessions.openHandle(who);
          else if (what === "label") sessions.byLabel(who, `l${pick}`);
          else if (what === "close" && chosen !== undefined) sessions.close(chosen);
          else if (what === "see" && chosen !== undefined) {
            see(chosen, domain);
            expected[who] = vocabulary.max(expected[who] ?? "public", vocabulary.floorOfDomain(domain));
          }
          for (const name of ["a", "b"]) assert.equal(sessions.sensitivityOf(name), expected[name]);
          for (const session of sessions.sessions()) assert.equal(session.sensitivity, expected[session.principalId]);
        }
      }),
    );
  });
});
