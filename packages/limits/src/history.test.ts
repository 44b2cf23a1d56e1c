import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { DistinctValues, ValueRoom } from "./distinct-values.ts";
import { History, type HistoryCall, type HistoryRule } from "./history.ts";
import { COUNT_BOUND } from "./rolling-count.ts";

const CALLS: HistoryRule = { name: "calls", of: "calls", window_seconds: 60 };
const PATIENTS: HistoryRule = { name: "patients", of: "distinct", tool: "read", argument: "id", window_seconds: 60 };
const BYTES: HistoryRule = { name: "sent", of: "bytes_sent", server: "mail", window_seconds: 60 };
const DENIED: HistoryRule = { name: "denied", of: "denials", window_seconds: 60 };
const RULES = [CALLS, PATIENTS, BYTES, DENIED];

const call = (id: string | null = null, rest: Partial<HistoryCall> = {}): HistoryCall => ({
  principal: "alice",
  tool: "read",
  server: "records",
  calls: 1,
  bytes: 10,
  argument: (name) => (name === "id" ? id : null),
  ...rest,
});
function setup(first = true, rules: readonly HistoryRule[] = RULES) {
  const clock = { now: 1_000 };
  return { clock, history: new History(rules, { now: () => clock.now, first }) };
}

void describe("history", () => {
  void it("is what was decided, as if the present call were made too", () => {
    const { history } = setup();
    assert.deepEqual(history.facts(RULES, call("a")).values, { calls: 1, patients: 1, sent: 0, denied: 0 });
    for (const id of ["a", "b", "a"]) history.count(RULES, call(id), "allow");
    history.count(RULES, call("c"), "deny");
    history.count(RULES, call(null, { tool: "send", server: "mail", bytes: 25 }), "redact");
    assert.deepEqual(history.facts(RULES, call("a")), {
      values: { calls: 5, patients: 2, sent: 25, denied: 1 },
      complete: true,
    });
    assert.equal(history.facts(RULES, call("d")).values["patients"], 3, "a value that is new");
    assert.equal(history.facts(RULES, call("a", { calls: 0 })).values["calls"], 4, "part of a call that is counted");
    assert.deepEqual(history.facts(RULES, call("a", { principal: "bob" })).values["calls"], 1);
  });

  void it("ends with its window", () => {
    const { history, clock } = setup();
    history.count(RULES, call("a"), "allow");
    clock.now += 61_000;
    assert.deepEqual(history.facts(RULES, call(null, { tool: "other" })).values, {
      calls: 1,
      patients: 0,
      sent: 0,
      denied: 0,
    });
  });

  void it("counts an outcome alone where the rule says so", () => {
    const redacted: HistoryRule = { ...CALLS, outcome: "redact" };
    const { history } = setup(true, [redacted]);
    history.count([redacted], call(), "allow");
    for (let time = 0; time < 2; time += 1) history.count([redacted], call(), "redact");
    assert.equal(history.facts([redacted], call(null, { calls: 0 })).values["calls"], 2);
  });

  void it("is incomplete until its window is over, where something was before", () => {
    const later: HistoryRule = { ...CALLS, name: "later" };
    const restarted = setup(false);
    assert.equal(restarted.history.facts(RULES, call()).complete, false);
    restarted.clock.now += 60_000;
    assert.equal(restarted.history.facts(RULES, call()).complete, true);
    const { history } = setup(true);
    assert.equal(history.facts([...RULES, later], call()).complete, false, "a rule of a later bundle");
    assert.equal(history.facts(RULES, call()).complete, true, "a rule that stays keeps its counts");
  });

  void it("is incomplete for a principal that there is no room for", () => {
    const { history } = setup(true, [CALLS]);
    for (let at = 0; at < 10_000; at += 1) history.count([CALLS], call(null, { principal: `p${at}` }), "allow");
    assert.equal(history.facts([CALLS], call(null, { principal: "p1" })).complete, true);
    assert.equal(history.facts([CALLS], call(null, { principal: "another" })).complete, false);
  });

  void it("has room for another principal once a window of the others is over", () => {
    for (const rule of [CALLS, PATIENTS]) {
      const { history, clock } = setup(true, [rule]);
      for (let at = 0; at < 10_000; at += 1) history.count([rule], call("a", { principal: `p${at}` }), "allow");
      const another = call("a", { principal: "another" });
      assert.equal(history.facts([rule], another).complete, false, rule.of);
      clock.now += 62_000;
      history.count([rule], another, "allow");
      const { values, complete } = history.facts([rule], { ...another, calls: 0 });
      assert.deepEqual([values[rule.name], complete], [1, true], rule.of);
    }
  });

  void it("keeps 32 rules, and counts the oldest anew after one more", () => {
    const rules = Array.from({ length: 32 }, (_, at): HistoryRule => ({ ...CALLS, name: `rule-${at}` }));
    const [oldest, next] = rules;
    assert.ok(oldest !== undefined && next !== undefined);
    const { history } = setup(true, rules);
    history.count(rules, call(), "allow");
    assert.deepEqual(history.facts([oldest], call()), { values: { "rule-0": 2 }, complete: true });
    history.count([CALLS], call(), "allow");
    assert.deepEqual(history.facts([next], call()), { values: { "rule-1": 2 }, complete: true });
    assert.deepEqual(history.facts([oldest], call()), { values: { "rule-0": 1 }, complete: false });
  });

  void it("counts nothing of a call without the argument, or of another tool or server", () => {
    const { history } = setup();
    history.count(RULES, call(null), "allow");
    history.count(RULES, call("a", { tool: "write" }), "allow");
    history.count(RULES, call("b", { server: "mail" }), "deny");
    const facts = history.facts(RULES, call(null, { server: "mail", bytes: 7, calls: 0 }));
    assert.deepEqual(facts.values, { calls: 2, patients: 0, sent: 7, denied: 1 });
  });

  void it("is incomplete with a count at its bound", () => {
    const { history } = setup();
    const sent = (bytes: number): HistoryCall => call(null, { server: "mail", bytes });
    assert.equal(history.facts(RULES, sent(COUNT_BOUND - 1)).complete, true);
    const { values, complete } = history.facts(RULES, sent(COUNT_BOUND + 1));
    assert.deepEqual([values["sent"], complete], [COUNT_BOUND, false]);
  });

  void it("is at its bound and incomplete with more values than are told apart", () => {
    const { history, clock } = setup();
    for (let at = 0; at < 1_025; at += 1) history.count(RULES, call(`${at}`), "allow");
    const facts = history.facts(RULES, call("a"));
    assert.deepEqual([facts.values["patients"], facts.complete], [COUNT_BOUND, false]);
    clock.now += 61_000;
    assert.equal(history.facts(RULES, call("a")).complete, true);
  });
});

void describe("distinct values", () => {
  void it("make room for one that comes when the window of another is over", () => {
    const values = new DistinctValues(100, new ValueRoom(1));
    values.add(0, "a");
    values.add(100, "b");
    assert.equal(values.total(100, null), 1);
    values.add(199, "c");
    assert.equal(values.total(199, null), COUNT_BOUND, "there is room for one");
  });

  void it("count at most a thousand million million", () => {
    assert.equal(COUNT_BOUND, 1_000_000_000_000_000);
  });

  void it("are told apart up to 1024 of a principal, and 16 384 of all", () => {
    const shared = new ValueRoom();
    const values = new DistinctValues(100, shared);
    for (let at = 0; at < 1_024; at += 1) values.add(0, `${at}`);
    assert.deepEqual([values.total(0, null), shared.taken], [1_024, 1_024]);
    assert.equal(values.total(0, "0"), 1_024, "one that was seen");
    values.add(0, "one more");
    assert.equal(values.total(99, null), COUNT_BOUND);
    assert.equal(values.total(100, null), 0);
    const room = new ValueRoom();
    for (let at = 0; at < 16_384; at += 1) assert.ok(room.take());
    assert.equal(room.take(), false);
    room.release(1);
    assert.equal(room.take(), true);
  });

  void it("are those of the window, in bounded room that is given back", () => {
    const events = fc.array(fc.record({ after: fc.nat(40), value: fc.nat(12) }), { maxLength: 100 });
    fc.assert(
      fc.property(events, (added) => {
        const room = new ValueRoom(8);
        const values = new DistinctValues(100, room);
        const seen: { at: number; value: number }[] = [];
        let now = 0;
        for (const { after, value } of added) {
          now += after;
          values.add(now, `${value}`);
          seen.push({ at: now, value });
          const window = new Set(seen.filter(({ at }) => now - at < 100).map((event) => event.value));
          const total = values.total(now, null);
          assert.ok(room.taken <= 8);
          assert.ok(total === window.size || (total === COUNT_BOUND && room.taken <= 8));
          assert.ok(total >= window.size, "never too low");
        }
        values.total(now + 100, null);
        assert.equal(room.taken, 0);
      }),
    );
  });
});
