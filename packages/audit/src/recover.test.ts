import { hash } from "node:crypto";
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalBytes, untrusted, type Untrusted } from "@cmcp/boundary";
import { entryHashInput, type AuditEntry } from "./entry.ts";
import { type JournalStatement } from "./journal.ts";
import { killSwitchDetail } from "./kill-switch.ts";
import { planRecovery } from "./plan-recovery.ts";
import { JournalReader, recover, type RecoveredInstance } from "./recover.ts";
import { encodeRecord, POLICY, thumbprint, WritingInstance } from "./testing/instance.ts";

const A = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const B = "5a1d9d3c-3f49-4c0e-8d50-6f5f2b7f1a11";
const NEW_POLICY = `sha256:${"c".repeat(64)}`;

function established(records: Iterable<Untrusted<Uint8Array>>): RecoveredInstance {
  const found = recover(records, thumbprint);
  assert.ok(found !== null);
  return found;
}

/** The instance's records with one more of its own making, under any number. */
function and(
  instance: WritingInstance,
  statement: JournalStatement,
  seq = instance.journal.length,
): Untrusted<Uint8Array>[] {
  return [...instance.records, untrusted(encodeRecord(statement, instance.name, seq, instance.sign))];
}

test("a whole journal establishes its sessions, their tips, the open calls in order and the claim counter", () => {
  const instance = new WritingInstance();
  const root = instance.start(A, { principal: "agent-1" });
  instance.start(B);
  instance.intent(A, "done");
  const second = instance.intent(A, "open-1");
  const third = instance.intent(A, "open-2");
  const tip = instance.entry(A, {
    entry_type: "tool_call",
    call_id: "done",
    policy_decision: "redact",
    session_sensitivity_after: "pii",
    detail: { policy_hash: POLICY },
  });
  const end = instance.end(B);
  instance.write({ kind: "claim", body: { session_id: B, sequence_number: 7, claim_hash: POLICY, claim: {} } });
  const found = established(instance.records);
  assert.deepEqual(
    [found.instance, found.jwk, found.refused, found.gapless, found.lastClaimSequence],
    [instance.name, instance.jwk, 0, true, 7],
  );
  assert.deepEqual(found.sessions.get(A), {
    sessionId: A,
    root: root.entry_hash,
    tip: tip.entry_hash,
    length: 2,
    closed: false,
    principal: "agent-1",
    sensitivity: "pii",
    seen: new Set(["pii"]),
    untrusted: false,
    lastTime: tip.timestamp_utc,
    claimHash: null,
    openIntents: [second, third],
    answers: null,
  });
  const closed = found.sessions.get(B);
  assert.deepEqual(
    [closed?.tip, closed?.closed, closed?.claimHash, closed?.openIntents],
    [end.entry_hash, true, POLICY, []],
  );
  assert.deepEqual([closed?.principal, closed?.sensitivity], [null, null]);
});

test("without a first record that verifies nothing is believed", () => {
  const instance = new WritingInstance();
  instance.start(A);
  assert.equal(recover([], thumbprint), null);
  assert.equal(recover(instance.records.slice(1), thumbprint), null);
  const body = {
    jwk: instance.jwk,
    gateway_version: "0.1.0",
    policy_hash: POLICY,
    catalog_hash: POLICY,
    boot_time: "2026-08-01T00:00:00Z",
  };
  const other = new WritingInstance();
  const first = (name: string, seq: number, sign: WritingInstance["sign"]): Untrusted<Uint8Array> =>
    untrusted(encodeRecord({ kind: "instance", body }, name, seq, sign));
  assert.equal(recover([first(instance.name, 1, instance.sign)], thumbprint), null, "not numbered 0");
  assert.equal(recover([first(instance.name, 0, other.sign)], thumbprint), null, "signed by another key");
  assert.equal(recover([first(other.name, 0, instance.sign)], thumbprint), null, "named after another key");
  assert.notEqual(recover([first(instance.name, 0, instance.sign)], thumbprint), null);
});

test("records of another instance, forged ones, ones seen before and garbage are as if absent", () => {
  const instance = new WritingInstance();
  instance.start(A);
  instance.intent(A, "open");
  const other = new WritingInstance();
  other.start(A);
  other.call(A, "open");
  const forged = new WritingInstance();
  const entry = instance.chain(A).append({ entry_type: "tool_call", call_id: "open", detail: { policy_hash: POLICY } });
  const inserted: Untrusted<Uint8Array>[] = [
    ...other.records,
    untrusted(encodeRecord({ kind: "entry", body: { entry, receipt: null } }, instance.name, 3, forged.sign)),
    untrusted(encodeRecord({ kind: "entry", body: { entry, receipt: null } }, other.name, 3, instance.sign)),
    untrusted(new Uint8Array([0xff])),
    untrusted(new Uint8Array()),
    ...instance.records,
  ];
  const found = established([...instance.records, ...inserted]);
  assert.equal(found.refused, inserted.length);
  assert.equal(found.gapless, false);
  assert.deepEqual(found.sessions, established(instance.records).sessions);
});

test("a missing entry ends what is believed of its session and leaves the others whole", () => {
  const instance = new WritingInstance();
  const root = instance.start(A);
  instance.start(B);
  instance.intent(A, "lost");
  instance.call(A, "lost");
  instance.call(A, "after");
  const tip = instance.call(B, "other");
  const found = established(instance.records.filter((_, seq) => seq !== 4));
  assert.deepEqual([found.sessions.get(A)?.tip, found.sessions.get(A)?.length], [root.entry_hash, 1]);
  assert.deepEqual([found.sessions.get(B)?.tip, found.sessions.get(B)?.length], [tip.entry_hash, 2]);
  assert.deepEqual(
    found.sessions.get(A)?.openIntents.map(({ call_id: id }) => id),
    ["lost"],
  );
  assert.equal(found.gapless, false);
});

test("a call whose signed entry is there is not open, even where the chain before that entry was lost", () => {
  const instance = new WritingInstance();
  instance.start(A);
  instance.intent(A, "recorded");
  instance.call(A, "lost");
  instance.call(A, "recorded");
  const found = established(instance.records.filter((_, seq) => seq !== 3));
  assert.equal(found.sessions.get(A)?.length, 1);
  assert.deepEqual(found.sessions.get(A)?.openIntents, []);
});

test("what an authentic entry says was seen counts, though the chain before it was lost, and an operator's reset there lowers nothing", () => {
  const instance = new WritingInstance();
  instance.start(A, { principal: "agent-1" });
  const seen = (label: string): AuditEntry =>
    instance.entry(A, { entry_type: "fault", session_sensitivity_after: label });
  seen("public");
  seen("pii");
  seen("hipaa_phi");
  instance.entry(A, {
    entry_type: "session_reset",
    session_sensitivity_before: "hipaa_phi",
    session_sensitivity_after: "public",
  });
  const found = established(instance.records.filter((_, seq) => seq !== 3));
  assert.deepEqual([...(found.sessions.get(A)?.seen ?? [])], ["public", "hipaa_phi"]);
  assert.deepEqual([found.sessions.get(A)?.length, found.refused, found.resetPrincipals.size], [2, 2, 0]);
});

test("a number left out is a gap, though nothing was refused", () => {
  const instance = new WritingInstance();
  instance.start(A);
  instance.start(B);
  const found = established(instance.records.filter((_, seq) => seq !== 1));
  assert.deepEqual([found.refused, found.gapless, [...found.sessions.keys()]], [0, false, [B]]);
});

test("what the instance's own key would have to sign wrongly is refused all the same", () => {
  const instance = new WritingInstance();
  instance.start(A);
  const chain = instance.chain(A);
  const good = chain.append({
    entry_type: "tool_call",
    call_id: "c",
    policy_decision: "allow",
    detail: { policy_hash: POLICY },
  });
  const rehash = (change: Partial<AuditEntry>): AuditEntry => {
    const changed = { ...good, ...change };
    return { ...changed, entry_hash: hash("sha256", entryHashInput(changed)) };
  };
  const entryOf = (entry: AuditEntry): JournalStatement => ({ kind: "entry", body: { entry, receipt: null } });
  const refused: JournalStatement[] = [
    entryOf({ ...good, tool_name: "changed" }),
    entryOf(rehash({ sequence_number: 2 })),
    entryOf(rehash({ prev_entry_hash: "0".repeat(64) })),
    entryOf(rehash({ session_id: B })),
    entryOf(rehash({ session_id: B, sequence_number: 0, prev_entry_hash: "genesis" })),
    entryOf(rehash({ session_id: B, entry_type: "session_start" })),
    {
      kind: "instance",
      body: {
        jwk: instance.jwk,
        gateway_version: "2",
        policy_hash: POLICY,
        catalog_hash: POLICY,
        boot_time: "2026-08-01T00:00:00Z",
      },
    },
    { kind: "claim", body: { session_id: B, sequence_number: 1, claim_hash: POLICY, claim: {} } },
  ];
  for (const [index, statement] of refused.entries()) {
    const found = established(and(instance, statement));
    assert.equal(found.refused, 1, `statement ${index}`);
    assert.deepEqual(
      [...found.sessions.values()].map(({ sessionId, length }) => [sessionId, length]),
      [[A, 1]],
      `statement ${index}`,
    );
  }
  assert.equal(
    established(and(instance, { kind: "entry", body: { entry: good, receipt: "plain" } })).sessions.get(A)?.length,
    2,
  );
});

test("an intent counts once, in a session that has begun and not ended", () => {
  const instance = new WritingInstance();
  instance.start(A);
  const intent = instance.intent(A, "call");
  const twice = established(and(instance, { kind: "intent", body: intent }));
  assert.deepEqual([twice.refused, twice.sessions.get(A)?.openIntents.length], [1, 1]);
  assert.equal(established(and(instance, { kind: "intent", body: { ...intent, session_id: B } })).refused, 1);
  instance.end(A);
  assert.equal(established(and(instance, { kind: "intent", body: { ...intent, call_id: "late" } })).refused, 1);
  const after = { entry_type: "fault", call_id: "late" } as const;
  const entry = new WritingInstance().chain(A);
  entry.append({ entry_type: "session_start" });
  assert.equal(
    established(and(instance, { kind: "entry", body: { entry: entry.append(after), receipt: null } })).sessions.get(A)
      ?.length,
    2,
  );
});

test("sessions beyond the bound are reported, not believed", () => {
  const instance = new WritingInstance();
  instance.start(A);
  instance.start(B);
  instance.call(A, "call");
  const reader = new JournalReader(thumbprint, 1);
  for (const record of instance.records) reader.add(record);
  const found = reader.finish();
  assert.deepEqual([found?.refused, found?.sessions.size, found?.sessions.get(A)?.length], [1, 1, 2]);
});

test("an entry that continues a closed session is refused", () => {
  const instance = new WritingInstance();
  instance.start(A);
  const end = instance.end(A);
  const body = { ...end, entry_type: "fault" as const, sequence_number: 2, prev_entry_hash: end.entry_hash };
  const entry = { ...body, entry_hash: hash("sha256", entryHashInput(body)) };
  const found = established(and(instance, { kind: "entry", body: { entry, receipt: null } }));
  assert.deepEqual([found.refused, found.sessions.get(A)?.length], [1, 2]);
});

test("a plan names the interrupted session, its tip and its open calls, and gives each call one fault", () => {
  const instance = new WritingInstance();
  instance.start(A);
  instance.start(B);
  const intents = [instance.intent(A, "one"), instance.intent(A, "two")];
  const found = established(instance.records);
  const [step, ...more] = planRecovery([found], NEW_POLICY);
  assert.deepEqual(more, []);
  assert.deepEqual(step?.rootDetail, {
    recovered_instance: instance.name,
    recovered_session: A,
    recovered_tip: instance.chain(A).tip,
    recovered_length: 1,
    recovered_intents_hash: hash("sha256", canonicalBytes(intents)),
  });
  assert.deepEqual(
    step?.faults.map((fault) => fault.call_id),
    ["one", "two"],
  );
  assert.deepEqual(step?.faults[0], {
    entry_type: "tool_call",
    call_id: "one",
    tool_name: "echo",
    server_identity: null,
    workflow_id: "default",
    policy_decision: "fault",
    policy_rule_matched: "outcome-unknown",
    request_payload_hash: "sha256:request",
    session_sensitivity_before: "pii",
    session_sensitivity_after: "pii",
    response_inspection_result: "n/a",
    detail: {
      outcome: "unknown",
      policy_hash: NEW_POLICY,
      recovered_policy_hash: POLICY,
      recovered_session: A,
      recovered_tip_before: instance.chain(A).tip,
    },
  });
  assert.deepEqual(planRecovery([], NEW_POLICY), []);
});

test("a call of one session is not answered by the same call id of another session or instance", () => {
  const first = new WritingInstance();
  for (const session of [A, B]) {
    first.start(session);
    first.intent(session, "same");
  }
  const second = new WritingInstance();
  second.start(A);
  second.intent(A, "same");
  const third = new WritingInstance();
  const recovery = "9a3a3f0e-61a2-4f2f-9a3b-0d4d7d0c2c55";
  third.start(recovery, { recovered_instance: first.name, recovered_session: A });
  third.call(recovery, "same");
  const steps = planRecovery(
    [first, second, third].map(({ records }) => established(records)),
    NEW_POLICY,
  );
  assert.deepEqual(
    steps.map(({ rootDetail }) => [rootDetail.recovered_instance, rootDetail.recovered_session]),
    [
      [first.name, B],
      [second.name, A],
    ],
  );
});

test("an operator's reset supersedes all that its session and closed ones had seen, what open ones only inherited, and nothing of another principal's", () => {
  const instance = new WritingInstance();
  const [C, D] = ["77777777-7777-4777-8777-777777777777", "88888888-8888-4888-8888-888888888888"];
  for (const session of [A, B, D]) instance.start(session, { principal: "agent-1" });
  instance.start(C, { principal: "agent-2" });
  const call = (session: string, id: string, after: string, shown: string, sent = true): void =>
    void instance.entry(session, {
      entry_type: "tool_call",
      call_id: id,
      policy_decision: "allow",
      session_sensitivity_after: after,
      effective_data_class: shown,
      detail: { policy_hash: POLICY, ...(sent ? { compliance_domain: "x" } : {}) },
    });
  for (const session of [A, C, D]) call(session, `c-${session}`, "hipaa_phi", "hipaa_phi");
  call(B, "own", "hipaa_phi", "pii");
  call(B, "refused", "hipaa_phi", "mnpi", false);
  instance.end(D);
  const held = (): unknown =>
    [A, B, C, D].map((session) => [...(established(instance.records).sessions.get(session)?.seen ?? [])]);
  assert.deepEqual(held(), [["hipaa_phi"], ["hipaa_phi"], ["hipaa_phi"], ["hipaa_phi"]]);
  instance.entry(A, {
    entry_type: "session_reset",
    session_sensitivity_before: "hipaa_phi",
    session_sensitivity_after: "public",
  });
  assert.deepEqual([...established(instance.records).resetPrincipals], ["agent-1"]);
  assert.deepEqual(held(), [["public"], ["public", "pii"], ["hipaa_phi"], ["public"]]);
  call(B, "later", "confidential", "confidential");
  call(A, "later", "confidential", "public");
  assert.deepEqual(held(), [["public", "confidential"], ["public", "pii", "confidential"], ["hipaa_phi"], ["public"]]);
});

test("what was provisioned and an unblock are records like others: none of them is refused", () => {
  const instance = new WritingInstance();
  instance.start(A, { principal: "agent-1" });
  instance.write({ kind: "provision", body: { sequence: 1, principals: [], credentials: [] } });
  const statement = {
    v: 1,
    purpose: "kill-switch-unblock",
    instance: instance.name,
    principal: "agent-1",
    sequence: 1,
    reason: "why",
  } as const;
  const detail = killSwitchDetail({ statement, key: "k".repeat(43), signature: "s".repeat(86) });
  instance.entry(A, { entry_type: "break_glass_used", detail });
  const found = established(instance.records);
  assert.deepEqual([found.refused, found.gapless, found.records], [0, true, instance.journal.length]);
});

test("a claim that is shown again does not stand for a later one", () => {
  const instance = new WritingInstance();
  instance.start(A);
  const claim = (sequence_number: number, digit: string): void =>
    instance.write({
      kind: "claim",
      body: { session_id: A, sequence_number, claim_hash: `sha256:${digit.repeat(64)}`, claim: {} },
    });
  claim(1, "1");
  claim(2, "2");
  const found = established([...instance.records, ...instance.records.slice(2, 3)]);
  assert.equal(found.sessions.get(A)?.claimHash, `sha256:${"2".repeat(64)}`);
  assert.deepEqual([found.refused, found.gapless, found.records], [1, false, 4]);
});

test("an error of whoever names keys is thrown, not taken for a bad record", () => {
  const { records } = new WritingInstance();
  const failing = (): never => {
    throw new TypeError("a bug");
  };
  assert.throws(() => recover(records, failing), /a bug/);
});
