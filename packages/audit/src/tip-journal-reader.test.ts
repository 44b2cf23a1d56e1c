/** Reading a journal with few signatures establishes what reading it with all of them does, or nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { examine, untrusted, type Untrusted } from "@cmcp/boundary";
import { SessionChain } from "./chain.ts";
import { MAX_RECORD_BYTES, type JournalStatement } from "./journal.ts";
import { recover, type RecoveredInstance } from "./recover.ts";
import { encodeRecord, POLICY, thumbprint, WritingInstance } from "./testing/instance.ts";
import { TipJournalReader } from "./tip-journal-reader.ts";

const A = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const B = "5a1d9d3c-3f49-4c0e-8d50-6f5f2b7f1a11";
const C = "9a3a3f0e-61a2-4f2f-9a3b-0d4d7d0c2c55";

function quickly(records: Iterable<Untrusted<Uint8Array>>, maxCalls?: number): RecoveredInstance | null {
  const reader = new TipJournalReader(thumbprint, maxCalls);
  for (const record of records) reader.add(record);
  return reader.finish();
}

/** Two sessions, one closed with its claim; a call that is recorded, one that is open. */
function written(): WritingInstance {
  const instance = new WritingInstance();
  instance.start(A, { principal: "agent-1" });
  instance.start(B, { principal: "agent-2", recovered_instance: "i", recovered_session: A });
  instance.intent(A, "recorded");
  instance.entry(A, {
    entry_type: "tool_call",
    call_id: "recorded",
    policy_decision: "allow",
    session_sensitivity_after: "hipaa_phi",
    tool_name: 'a "quoted" tool, "receipt":',
    detail: { policy_hash: POLICY },
  });
  instance.intent(A, "open");
  instance.call(B, "another");
  instance.call(A, "last");
  instance.end(B);
  instance.write({ kind: "claim", body: { session_id: B, sequence_number: 3, claim_hash: POLICY, claim: {} } });
  return instance;
}

/** The instance's records with one more that its key signs. */
function and(instance: WritingInstance, statement: JournalStatement, name = instance.name): Untrusted<Uint8Array>[] {
  return [...instance.records, untrusted(encodeRecord(statement, name, instance.journal.length, instance.sign))];
}

/** The instance's records with the text of one rewritten by the host, who cannot sign. */
function rewritten(
  instance: WritingInstance,
  index: number,
  rewrite: (text: string) => string,
): Untrusted<Uint8Array>[] {
  return instance.records.map((record, at) => {
    if (at !== index) return record;
    const text = Buffer.from(examine(record)).toString();
    const changed = rewrite(text);
    assert.notEqual(changed, text, "something was changed");
    return untrusted(new TextEncoder().encode(changed));
  });
}

test("an untouched journal gives what all its signatures give, open calls and answers among it", () => {
  const { records } = written();
  const [quick, full] = [quickly(records), recover(records, thumbprint)];
  assert.ok(quick !== null && full !== null);
  assert.deepEqual(quick, full);
  assert.ok(quick.gapless);
  assert.equal(quick.sessions.get(A)?.sensitivity, "hipaa_phi");
  assert.deepEqual(
    quick.sessions.get(A)?.openIntents.map(({ call_id: id }) => id),
    ["open"],
  );
});

test("the latest time is that of the latest entry of any session, or of the start", () => {
  const instance = new WritingInstance();
  const at = (session: string, time: string): void => {
    const entry = new SessionChain(session, () => Date.parse(time)).append({ entry_type: "session_start" });
    instance.write({ kind: "entry", body: { entry, receipt: null } });
  };
  const latest = (): readonly (string | undefined)[] =>
    [quickly(instance.records), recover(instance.records, thumbprint)].map((found) => found?.lastTime);
  assert.deepEqual(latest(), ["2026-08-01T00:00:00.000Z", "2026-08-01T00:00:00.000Z"]);
  at(A, "2026-08-03T00:00:00.000Z");
  at(B, "2026-08-02T00:00:00.000Z");
  assert.deepEqual(latest(), ["2026-08-03T00:00:00.000Z", "2026-08-03T00:00:00.000Z"]);
});

test("a journal that ends early is believed up to its end", () => {
  const instance = written();
  for (let length = 1; length <= instance.records.length; length += 1) {
    const shown = instance.records.slice(0, length);
    assert.deepEqual(quickly(shown)?.sessions, recover(shown, thumbprint)?.sessions, `${length} records`);
  }
});

test("nothing is established from what the host changed", () => {
  const instance = written();
  const other = written();
  const changed: Record<string, readonly Untrusted<Uint8Array>[]> = {
    "no first record": instance.records.slice(1),
    "another instance's first record": [...other.records.slice(0, 1), ...instance.records.slice(1)],
    "an entry dropped": instance.records.filter((_, at) => at !== 4),
    "an entry twice": [...instance.records, ...instance.records.slice(4, 5)],
    "a session begun twice": [...instance.records, ...instance.records.slice(1, 2)],
    "a record larger than any": rewritten(instance, 4, (text) => text + " ".repeat(MAX_RECORD_BYTES)),
    "a claim under another instance's name": and(
      instance,
      { kind: "claim", body: { session_id: A, sequence_number: 4, claim_hash: POLICY, claim: {} } },
      other.name,
    ),
    "a call of a session without entries": and(instance, {
      kind: "intent",
      body: { ...instance.intent(A, "extra"), session_id: C },
    }),
    "an entry of another instance": [...instance.records, ...other.records.slice(1, 2)],
    "a last entry that nobody signed": rewritten(instance, 7, (text) =>
      text.replace(/"value":"[^"]*"\},"v"/, `"value":"${"A".repeat(86)}"},"v"`),
    ),
    "an open call that nobody signed": rewritten(instance, 5, (text) =>
      text.replace('"tool_name":"echo"', '"tool_name":"other"'),
    ),
    "an open call of an ended session": rewritten(instance, 5, (text) => text.replace(A, B)),
    "an intent behind its entry": [
      ...instance.records.slice(0, 3),
      ...instance.records.slice(4),
      ...instance.records.slice(3, 4),
    ],
    "an intent twice": [...instance.records, ...instance.records.slice(5, 6)],
    "a claim that nobody signed": rewritten(instance, 9, (text) =>
      text.replace('"sequence_number":3', '"sequence_number":4'),
    ),
    "a claim of no session": [...instance.records.slice(0, 1), ...instance.records.slice(9)],
    "another sensitivity": rewritten(instance, 4, (text) =>
      text.replace('"session_sensitivity_after":"hipaa_phi"', '"session_sensitivity_after":"public"'),
    ),
    "another principal": rewritten(instance, 1, (text) => text.replace("agent-1", "agent-2")),
    "another call": rewritten(instance, 4, (text) =>
      text
        .replace('"call_id":"recorded","decision"', '"call_id":"open","decision"')
        .replace('"call_id":"recorded","detail"', '"call_id":"open","detail"'),
    ),
    garbage: [...instance.records, untrusted(new Uint8Array([0xff]))],
    "an entry that is no JSON": rewritten(instance, 4, (text) => text.replace('"workflow_id":', '"workflow_id":,')),
  };
  for (const [what, records] of Object.entries(changed)) assert.equal(quickly(records), null, what);
});

test("a call that the instance itself announced twice is left to the reader of every record", () => {
  for (const recorded of [false, true]) {
    const instance = new WritingInstance();
    instance.start(A);
    instance.intent(A, "call");
    if (recorded) instance.call(A, "call");
    assert.notEqual(quickly(instance.records), null);
    instance.intent(A, "call");
    assert.equal(quickly(instance.records), null);
  }
});

/** A record under another number, which its signature does not cover any more. */
function numbered(record: Untrusted<Uint8Array>, number: number): Untrusted<Uint8Array> {
  const text = Buffer.from(examine(record)).toString();
  return untrusted(new TextEncoder().encode(text.replace(/"seq":\d+/, `"seq":${number}`)));
}

test("whichever record is missing before the last one, nothing is established, whatever numbers the host writes and whatever it fills in", () => {
  const instance = written();
  for (let left = 0; left < instance.records.length - 1; left += 1) {
    const rest = instance.records.filter((_, at) => at !== left);
    assert.equal(quickly(rest), null, `without ${left}`);
    assert.equal(quickly(rest.map(numbered)), null, `without ${left}, numbered anew`);
  }
  // A call that was refused has no intent; one that the host writes for it would fill the place of the one it hides.
  const forged = { ...instance.intent(B, "another"), call_id: "another" };
  const filler = untrusted<Uint8Array>(
    encodeRecord({ kind: "intent", body: forged }, instance.name, 5, written().sign),
  );
  const filled = [...instance.records.slice(0, 5), filler, ...instance.records.slice(6, 10)];
  assert.equal(filled.length, 10);
  assert.equal(quickly(filled), null);
});

test("a second entry in one record, which only one of two readers would see, is refused", () => {
  const instance = written();
  const forged = (text: string): string => {
    const entry = JSON.stringify({
      ...(JSON.parse(text) as { body: { entry: object } }).body.entry,
      session_sensitivity_after: "public",
      call_id: "open",
    });
    return text.replace(/,"receipt":(.*)$/, (rest) => rest.replace(/\},"instance"/, `,"entry":${entry}},"instance"`));
  };
  assert.equal(quickly(rewritten(instance, 4, forged)), null);
});

test("an entry that names its hash elsewhere than the instance did is not believed", () => {
  const instance = written();
  const moved = rewritten(instance, 4, (text) =>
    text
      .replace(/("entry_hash":"[0-9a-f]{64}",)/, "")
      .replace('"detail":{', (detail) => `${detail}${/"entry_hash":"[0-9a-f]{64}",/.exec(text)?.[0] ?? ""}`),
  );
  assert.equal(quickly(moved), null);
});

test("after an operator's reset, and with more calls than are remembered, every record has to be read", () => {
  const instance = written();
  assert.equal(quickly(instance.records, 2), null);
  assert.notEqual(quickly(instance.records, 3), null);
  instance.entry(A, {
    entry_type: "session_reset",
    session_sensitivity_before: "hipaa_phi",
    session_sensitivity_after: "public",
  });
  assert.equal(quickly(instance.records), null);
});

test("records signed together are read as those signed one by one, whichever of them the host keeps back", () => {
  const instance = written();
  for (let size = 2; size <= instance.records.length; size += 1) {
    const together = instance.signedTogether(size);
    assert.deepEqual(quickly(together), quickly(instance.records), `${size} together`);
    for (let left = 0; left < together.length; left += 1) {
      const [some, single] = [together, instance.records].map((records) => records.filter((_, at) => at !== left));
      assert.deepEqual(
        [quickly(some ?? []), recover(some ?? [], thumbprint)],
        [quickly(single ?? []), recover(single ?? [], thumbprint)],
        `${size} together without ${left}`,
      );
    }
  }
});
