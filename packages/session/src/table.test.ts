import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { fromBase64Url } from "@cmcp/boundary";
import {
  HANDLE_BYTES,
  MAX_LABEL_LENGTH,
  MAX_PRINCIPALS,
  SessionTable,
  Vocabulary,
  compartmentsOfCall,
  recordCall,
  type Label,
  type Session,
  type SessionTableOptions,
} from "./index.ts";

const vocabulary = new Vocabulary();
const table = (limits: Partial<SessionTableOptions> = {}): SessionTable =>
  new SessionTable({ vocabulary, maxSessions: 100, maxPerPrincipal: 10, idleMs: 1000, floorMs: 10_000, ...limits });
const label = (name: string): Label => ({ compartments: vocabulary.compartmentsOf([name]), integrity: "trusted" });
const sensitivityOf = (sessions: SessionTable, principal: string): string =>
  vocabulary.linear(sessions.labelOf(principal).compartments);
const see = (session: Session, domain: string): void => {
  const tool = { toolName: "t", complianceDomain: domain, sensitivityLevel: "public" };
  const data = { compartments: compartmentsOfCall(vocabulary, tool, null), integrity: "trusted" } as const;
  recordCall(session, { callId: "c", tool, decision: "allow", sent: true, data });
};

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

void describe("bounds", () => {
  void it("makes room at the principal's own expense: its least recently used session that is not in use goes", () => {
    const evicted: Session[] = [];
    const sessions = table({ maxPerPrincipal: 2, evicted: (session) => evicted.push(session) });
    const other = sessions.open("b");
    const first = sessions.open("a");
    const second = sessions.openByLabel("a", "x");
    sessions.touch(first);
    const third = sessions.open("a");
    assert.deepEqual(evicted, [second]);
    assert.equal(sessions.byId("a", second.id), undefined);
    first.inUse = 1;
    third.inUse = 1;
    assert.throws(() => sessions.open("a"), { code: "SESSION_LIMIT_REACHED" });
    assert.equal(sessions.byId("b", other.id), other, "another principal's session stays");
  });

  void it("holds the sessions that are not closed, the one not used for longest first", () => {
    const sessions = table();
    const [first, second] = [sessions.open("a"), sessions.open("b")];
    assert.deepEqual([sessions.size, sessions.sessions()], [2, [first, second]]);
    sessions.touch(first);
    assert.deepEqual(sessions.sessions(), [second, first]);
    sessions.close(second);
    assert.deepEqual([sessions.size, sessions.sessions()], [1, [first]]);
  });

  void it("has room for a principal that it does not know", () => {
    const sessions = table({ maxPerPrincipal: 1 });
    assert.equal(sessions.isFull("a"), false);
    sessions.open("a");
    assert.deepEqual([sessions.isFull("a"), sessions.isFull("b")], [true, false]);
  });

  void it("keeps a principal that has seen nothing, and whose last session gives way, in the table", () => {
    const sessions = table({ maxPerPrincipal: 1 });
    sessions.open("a");
    const named = sessions.openByLabel("a", "work");
    assert.equal(sessions.openByLabel("a", "work"), named);
  });

  void it("gives no session the id of another", () => {
    const sessions = table({ newId: () => "same" });
    const first = sessions.open("a");
    assert.throws(() => sessions.open("b"), { code: "INTERNAL" });
    assert.equal(sessions.byId("a", "same"), first);
  });

  void it("never evicts what a principal has seen", () => {
    const sessions = table({ maxPerPrincipal: 1 });
    see(sessions.open("a"), "hipaa_phi");
    assert.equal(sessions.open("a").sensitivity, "hipaa_phi");
  });

  void it("finds idle sessions oldest first, never one in use, and forgets floors when their time is over", () => {
    let now = 0;
    const sessions = table({ monotonic: () => now });
    const [idle, busy, used] = [sessions.open("a"), sessions.open("a"), sessions.open("a")];
    busy.inUse = 1;
    see(idle, "pii");
    now = 900;
    sessions.touch(used);
    now = 1_100;
    assert.deepEqual(sessions.expired(), [idle]);
    for (const session of [idle, busy, used]) sessions.close(session);
    now = 9_000;
    assert.deepEqual(sessions.expired(), []);
    assert.equal(sensitivityOf(sessions, "a"), "pii", "the floor outlives the sessions");
    now = 20_000;
    sessions.expired();
    assert.equal(sensitivityOf(sessions, "a"), "public");
  });

  void it("counts a floor's time from the end of the last session, not from its last use", () => {
    let now = 0;
    const sessions = table({ monotonic: () => now, floorMs: 500 });
    const session = sessions.open("a");
    see(session, "pii");
    now = 5_000;
    sessions.close(session);
    now = 5_400;
    sessions.expired();
    assert.equal(sensitivityOf(sessions, "a"), "pii");
    now = 5_500;
    sessions.expired();
    assert.equal(sensitivityOf(sessions, "a"), "public");
  });

  void it("takes over a floor that only raises", () => {
    const sessions = table();
    sessions.restoreFloor("a", label("hipaa_phi"));
    sessions.restoreFloor("a", label("pii"));
    assert.equal(sessions.openByLabel("a", "new").sensitivity, "hipaa_phi");
  });

  void it("starts everybody from a label, those excepted and those an operator resets, for as long as labels outlive sessions", () => {
    let now = 0;
    const sessions = table({ floorMs: 1_000, monotonic: () => now });
    const known = sessions.openByLabel("known", null);
    sessions.restoreFloor("known", label("pii"));
    sessions.restoreStart(label("hipaa_phi"), new Set(["vouched"]));
    assert.equal(known.sensitivity, "hipaa_phi");
    assert.deepEqual([sensitivityOf(sessions, "new"), sessions.open("new").sensitivity], ["hipaa_phi", "hipaa_phi"]);
    assert.equal(sessions.open("vouched").sensitivity, "public");
    const reset = sessions.open("reset");
    assert.deepEqual(sessions.reset(reset), { before: "hipaa_phi", after: "public" });
    sessions.close(reset);
    assert.equal(sessions.open("reset").sensitivity, "public");
    now = 999;
    assert.equal(sessions.open("late").sensitivity, "hipaa_phi");
    now = 1_000;
    assert.equal(sessions.open("later").sensitivity, "public");
    assert.equal(sessions.open("late").sensitivity, "hipaa_phi", "what is held against one stays");
  });

  void it("refuses any session beyond the total and remembers nothing of who asked", () => {
    const sessions = table({ maxSessions: 1 });
    sessions.open("a");
    assert.throws(() => sessions.open("b"), { code: "SESSION_LIMIT_REACHED" });
    assert.equal(sessions.principals, 1);
  });

  void it("leaves nothing after 100 000 sessions opened and closed", () => {
    const sessions = table();
    for (let index = 0; index < 100_000; index += 1) {
      const principal = `p${index % 5000}`;
      sessions.close(index % 2 === 0 ? sessions.open(principal) : sessions.openByLabel(principal, `label ${index}`));
    }
    assert.equal(sessions.size, 0);
    assert.equal(sessions.principals, 0);
    assert.deepEqual(sessions.sessions(), []);
  });

  void it("refuses a further principal rather than forgetting what one has seen", () => {
    const sessions = table();
    for (let index = 0; index < MAX_PRINCIPALS; index += 1) {
      const session = sessions.open(`p${index}`);
      see(session, "pii");
      sessions.close(session);
    }
    assert.throws(() => sessions.open("one more"), { code: "SESSION_LIMIT_REACHED" });
    assert.equal(sensitivityOf(sessions, "p0"), "pii");
    assert.equal(sessions.open("p0").sensitivity, "pii");
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
