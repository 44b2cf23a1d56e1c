import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { callerOf, HostStore, ofSession, recordRoom } from "../testing/record-room.ts";

const decision = {
  entry_type: "tool_call",
  call_id: "call-1",
  policy_decision: "allow",
  detail: { policy_hash: `sha256:${"a".repeat(64)}` },
} as const;

async function joined() {
  const store = new HostStore();
  const room = recordRoom(store);
  return { store, room, recorded: await room.sessions.openOrJoin(callerOf("alice"), null) };
}

test("a decision returns the receipt of its own entry", async () => {
  const { room, recorded } = await joined();
  await room.recorder.ensureStarted(recorded);
  const receipt = await room.recorder.decision(recorded, decision);
  assert.deepEqual(
    [receipt.call_id, receipt.sequence_number, receipt.entry_hash, receipt.instance],
    ["call-1", 1, recorded.chain.tip, room.instance],
  );
});

test("a decision that was stored without a receipt is a fault", async () => {
  const { room, recorded } = await joined();
  await room.recorder.ensureStarted(recorded);
  room.journal.append = () => Promise.resolve(null);
  await assert.rejects(room.recorder.decision(recorded, decision), { code: "INTERNAL" });
});

test("an intent waits until witnesses have cosigned it, and an entry does not", async () => {
  const { room, recorded } = await joined();
  room.journal.appendCosigned = () => Promise.reject(new CmcpError("WITNESS_UNAVAILABLE", "none"));
  await room.recorder.ensureStarted(recorded);
  await room.recorder.decision(recorded, decision);
  const intent = {
    call_id: "call-2",
    tool_name: "lookup",
    server_identity: null,
    workflow_id: null,
    request_hash: `sha256:${"b".repeat(64)}`,
    policy_hash: `sha256:${"a".repeat(64)}`,
    session_sensitivity: "public",
  };
  await assert.rejects(room.recorder.intent(recorded, intent), { code: "WITNESS_UNAVAILABLE" });
});

test("a session whose root entry was stored late goes on normally", async () => {
  const { store, room, recorded } = await joined();
  room.journal.behind = true;
  for (let call = 0; call < 2; call += 1)
    await assert.rejects(room.recorder.ensureStarted(recorded), { code: "AUDIT_STORE_UNAVAILABLE" });
  room.journal.behind = false;
  await room.recorder.ensureStarted(recorded);
  assert.equal(recorded.chain.length, 1, "it begins once");
  assert.equal(ofSession(store, recorded.session.id, "entry").length, 1);
  recorded.rootStored = Promise.reject(new CmcpError("INTERNAL", "never stored"));
  await assert.rejects(room.recorder.ensureStarted(recorded), { code: "INTERNAL" });
});

test("a note goes into every session that takes entries and has room", async () => {
  const { room, recorded } = await joined();
  const others = await Promise.all(
    ["ended", "full"].map((label) => room.sessions.openOrJoin(callerOf("alice"), label)),
  );
  const [ended, full] = others;
  assert.ok(ended !== undefined && full !== undefined);
  const unused = await room.sessions.openOrJoin(callerOf("alice"), "unused");
  for (const begun of [recorded, ...others]) await room.recorder.ensureStarted(begun);
  for (const event of ["close", "end"] as const) ended.lifecycle.step(event);
  Object.defineProperty(full.chain, "room", { value: 0 });
  const noted = room.recorder.noteInAll(room.sessions.openSessions(), { entry_type: "attestation_stale" });
  await noted.stored;
  assert.deepEqual(noted.full, [full]);
  assert.deepEqual(
    [recorded, ended, full, unused].map(({ chain }) => chain.length),
    [2, 1, 1, 0],
  );
});
