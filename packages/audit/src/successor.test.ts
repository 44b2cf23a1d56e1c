import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuditEntry } from "./entry.ts";
import { continuationOf, predecessorOf, sessionAfter, successorOf } from "./successor.ts";

const A = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const B = "11111111-1111-4111-8111-111111111111";
const entry = (type: AuditEntry["entry_type"], detail: AuditEntry["detail"]) => ({
  entry_type: type,
  session_id: A,
  detail,
});
const CLOSES = { closed_session_id: A, successor_session_id: B };

test("behind a reset of its own session the entries are the successor's", () => {
  assert.equal(successorOf(entry("session_reset", CLOSES)), B);
  assert.equal(sessionAfter(entry("session_reset", CLOSES)), B);
  for (const other of [
    entry("session_end", CLOSES),
    entry("session_reset", null),
    entry("session_reset", { ...CLOSES, closed_session_id: B }),
    entry("session_reset", { successor_session_id: B }),
    entry("session_reset", { closed_session_id: A }),
    entry("session_reset", { ...CLOSES, successor_session_id: A }),
    entry("session_reset", { ...CLOSES, successor_session_id: 1 }),
    entry("session_reset", { ...CLOSES, successor_session_id: "no session" }),
  ]) {
    assert.equal(successorOf(other), null, JSON.stringify(other));
    assert.equal(sessionAfter(other), A);
  }
});

test("the end of a full session names the one that goes on, and no other entry does", () => {
  assert.equal(continuationOf(entry("session_end", { successor_session_id: B })), B);
  for (const other of [
    entry("session_end", null),
    entry("session_end", { successor_session_id: 1 }),
    entry("session_reset", CLOSES),
    entry("tool_call", CLOSES),
  ])
    assert.equal(continuationOf(other), null, JSON.stringify(other));
});

test("the first entry of a session names the one before it, and a reset the one that it closes", () => {
  for (const type of ["session_start", "fault", "tool_call"] as const)
    assert.equal(predecessorOf(entry(type, { closed_session_id: B })), B);
  for (const other of [
    entry("session_reset", CLOSES),
    entry("session_start", null),
    entry("session_start", { closed_session_id: 1 }),
    entry("session_start", { successor_session_id: B }),
  ])
    assert.equal(predecessorOf(other), null, JSON.stringify(other));
});
