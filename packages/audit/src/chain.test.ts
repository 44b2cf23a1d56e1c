import { hash } from "node:crypto";
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MAX_BUNDLE_ENTRIES } from "./bundle.ts";
import { SessionChain } from "./chain.ts";
import { entryHashInput, MAX_ENTRY_TEXT, type AuditEntry } from "./entry.ts";

const SESSION = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const internal = { code: "INTERNAL" };

function started(now?: () => number): SessionChain {
  const chain = new SessionChain(SESSION, now);
  chain.append({ entry_type: "session_start" });
  return chain;
}

test("entries are numbered from 0, linked by hash, and each an own id; the chain knows root, tip and length", () => {
  const chain = new SessionChain(SESSION, () => 1_785_000_000_000);
  assert.equal(chain.tip, "genesis");
  assert.throws(() => chain.root, internal);
  assert.equal(chain.closed, false);
  const entries: AuditEntry[] = [chain.append({ entry_type: "session_start", detail: { a: 1 } })];
  for (let index = 0; index < 3; index += 1)
    entries.push(chain.append({ entry_type: "tool_call", call_id: `c${index}` }));
  entries.push(chain.append({ entry_type: "session_end" }));
  let previous = "genesis";
  for (const [index, entry] of entries.entries()) {
    assert.equal(entry.sequence_number, index);
    assert.equal(entry.session_id, SESSION);
    assert.equal(entry.prev_entry_hash, previous);
    assert.equal(entry.entry_hash, hash("sha256", entryHashInput(entry)));
    previous = entry.entry_hash;
  }
  assert.equal(new Set(entries.map(({ entry_id: id }) => id)).size, entries.length);
  assert.deepEqual([chain.root, chain.tip, chain.length, chain.closed], [entries[0]?.entry_hash, previous, 5, true]);
  assert.deepEqual([entries[0]?.detail, entries[1]?.detail], [{ a: 1 }, null]);
  assert.equal(entries[1]?.tool_name, null);
  assert.equal(entries[1]?.evidence_class, "hash-only");
  assert.equal(entries[0]?.timestamp_utc, "2026-07-25T17:20:00.000Z");
});

test("within one chain time never goes back, whatever the clock does", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 4_000_000_000_000 }), { minLength: 1, maxLength: 20 }), (clock) => {
      let tick = 0;
      const chain = new SessionChain(SESSION, () => clock[tick++] ?? 0);
      const times = clock.map((_, index) =>
        Date.parse(chain.append({ entry_type: index === 0 ? "session_start" : "tool_call" }).timestamp_utc),
      );
      for (const [index, time] of times.entries()) assert.equal(time, Math.max(...clock.slice(0, index + 1)));
    }),
    { numRuns: 50 },
  );
});

test("session_start is the first entry and no other, and nothing follows session_end", () => {
  assert.throws(() => new SessionChain(SESSION).append({ entry_type: "tool_call" }), internal);
  assert.throws(() => new SessionChain(SESSION).append({ entry_type: "session_end" }), internal);
  const chain = started();
  assert.throws(() => chain.append({ entry_type: "session_start" }), internal);
  chain.append({ entry_type: "session_end" });
  for (const entry_type of ["session_end", "session_start", "tool_call", "fault"] as const)
    assert.throws(() => chain.append({ entry_type }), internal);
  assert.equal(chain.length, 2);
  assert.equal(chain.room, 0);
});

test("an entry no verifier would accept leaves the chain as it was", () => {
  const chain = started();
  const before = [chain.root, chain.tip, chain.length, chain.closed];
  assert.throws(() => chain.append({ entry_type: "tool_call", tool_name: "x".repeat(MAX_ENTRY_TEXT + 1) }), {
    ...internal,
    message: /: tool_name: /,
  });
  assert.throws(() => chain.append({ entry_type: "session_end", latency_us: -1 }), internal);
  assert.throws(() => chain.append({ entry_type: "tool_call", tool_name: "\ud800" }), {
    code: "JSON_NOT_CANONICALIZABLE",
  });
  assert.throws(() => new SessionChain("not-a-uuid").append({ entry_type: "session_start" }), internal);
  assert.deepEqual([chain.root, chain.tip, chain.length, chain.closed], before);
});

test("behind a reset the entries are the successor's, and the first of them names the session that was reset", () => {
  const successor = "11111111-1111-4111-8111-111111111111";
  const reset = (closed: string, next: string): void =>
    void chain.append({
      entry_type: "session_reset",
      detail: { closed_session_id: closed, successor_session_id: next },
    });
  const chain = started();
  reset(SESSION, successor);
  const [first, second] = [
    chain.append({ entry_type: "fault" }),
    chain.append({ entry_type: "fault", detail: { a: 1 } }),
  ];
  assert.deepEqual(
    [first.session_id, first.detail, second.session_id, second.detail],
    [successor, { closed_session_id: SESSION }, successor, { a: 1 }],
  );
  for (const [closed, next] of [
    [SESSION, SESSION],
    [successor, successor],
    [successor, "no session"],
  ] as const)
    reset(closed, next);
  assert.deepEqual([chain.sessionId, chain.sessionIds], [successor, [SESSION, successor]]);
});

test("a reset directly behind another names the session that it closes, and the one before that", () => {
  const [second, third] = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
  const reset = (closed: string, next: string): AuditEntry =>
    chain.append({
      entry_type: "session_reset",
      detail: { closed_session_id: closed, successor_session_id: next },
    });
  const chain = started();
  reset(SESSION, second);
  const again = reset(second, third);
  assert.deepEqual(again.detail, {
    closed_session_id: second,
    successor_session_id: third,
    previous_session_id: SESSION,
  });
  assert.deepEqual(chain.sessionIds, [SESSION, second, third]);
});

test("a full chain takes its session_end and nothing else", () => {
  const chain = started();
  while (chain.room > 0) chain.append({ entry_type: "fault" });
  assert.equal(chain.length, MAX_BUNDLE_ENTRIES - 1);
  assert.throws(() => chain.append({ entry_type: "fault" }), { code: "SESSION_CLOSED" });
  chain.append({ entry_type: "session_end" });
  assert.equal(chain.length, MAX_BUNDLE_ENTRIES);
});
