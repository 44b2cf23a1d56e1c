import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAX_PRINCIPALS, type Session } from "./index.ts";
import { label, see, sensitivityOf, table } from "./testing/table.ts";

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
