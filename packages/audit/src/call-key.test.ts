import assert from "node:assert/strict";
import { test } from "node:test";
import { callKeyDetail, endedCallKey } from "./call-key.ts";
import { SessionChain } from "./chain.ts";
import type { AuditEntry } from "./entry.ts";

const KNOWN = { key: "a".repeat(64), request: "b".repeat(64) };
const DETAIL = { principal: "alice", ...callKeyDetail(KNOWN) };
const entry = (fields: Partial<AuditEntry>): AuditEntry => ({
  ...new SessionChain("0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90", () => 0).append({ entry_type: "session_start" }),
  entry_type: "tool_call",
  detail: DETAIL,
  ...fields,
});

test("the entry that ends a call says whose key it had, and for which request", () => {
  assert.deepEqual(callKeyDetail(null), {});
  assert.deepEqual(endedCallKey(entry({})), { principal: "alice", ...KNOWN });
});

test("an entry of another kind, or without one of the three, has no key", () => {
  for (const other of [
    entry({ entry_type: "fault" }),
    entry({ detail: null }),
    ...Object.keys(DETAIL).flatMap((name) => {
      const { [name]: _, ...rest } = DETAIL as Record<string, string>;
      return [entry({ detail: rest }), entry({ detail: { ...rest, [name]: 1 } })];
    }),
  ])
    assert.equal(endedCallKey(other), null, JSON.stringify(other.detail));
});
