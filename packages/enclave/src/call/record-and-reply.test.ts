import assert from "node:assert/strict";
import { test } from "node:test";
import { commitmentTo, receiptSchema, RECEIPT_META_KEY, SALTS_META_KEY, type Receipt } from "@cmcp/audit";
import { canonicalText, fromHex, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { CLAIM_META_KEY, claimHash, type Claim } from "@cmcp/claim";
import { silentPeer, type AgentRequest, type Outcome, type RpcBody } from "@cmcp/mcp";
import { Caller } from "../access/caller.ts";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { makeCall, permitFor, requestFor } from "../testing/calls.ts";
import { messagesCommitment } from "../testing/commitments.ts";
import { callEntriesOf } from "../testing/entries.ts";
import { HostStore, recordRoom } from "../testing/record-room.ts";
import { refuse, type Ending } from "./ending.ts";
import { recordAndReply, type RecordPorts } from "./record-and-reply.ts";
import { deliver } from "./result-ending.ts";

const catalog = callCatalog();
const peer = silentPeer(new AbortController().signal);
const RESULT: Outcome = { kind: "result", result: { content: [] } };

/** A record room with one session, and how calls in it are recorded and told. */
async function start({ claims = false, channel = "plain" }: { claims?: boolean; channel?: "plain" | "sealed" } = {}) {
  const made: Claim[] = [];
  const store = new HostStore();
  const room = recordRoom(store);
  const recorded = await room.sessions.openOrJoin(
    new Caller({ principalId: "alice", source: "bearer" }, null, { channel }),
    null,
  );
  await room.recorder.ensureStarted(recorded);
  const ports: RecordPorts = {
    vocabulary: room.vocabulary,
    recordDecision: async (session, fields, texts) => await room.recorder.decision(session, fields, texts),
    namesCatalog: false,
    mayUse: (_, workflow) => ["default", "billing"].includes(workflow),
    evidenceOf: () => "hash-only",
    serverDetail: () => ({}),
    refusalReceipt: () => ({ type: "refusal" }),
    claim: claims
      ? async (session) => {
          const claim = await room.claims.claimOpen(session);
          made.push(claim);
          return claim;
        }
      : null,
  };
  const reply = async (
    rest: Partial<AgentRequest>,
    endingOf: (request: AgentRequest) => Ending,
    said: readonly JsonObject[] = [],
  ) => {
    const request = requestFor(rest);
    const call = makeCall(request, { recorded });
    for (const message of said) call.commitments.response.add(message);
    const body = await recordAndReply(call, { ending: endingOf(request), peer }, ports);
    const entry = callEntriesOf(store, recorded.session.id).at(-1);
    assert.ok(entry !== undefined);
    return { body, entry, call };
  };
  return { reply, recorded, store, made };
}

const found = (request: AgentRequest): Ending =>
  deliver(permitFor(targetOf(catalog, request)), RESULT, { outcome: "delivered" });
const denied = (request: AgentRequest): Ending =>
  refuse(targetOf(catalog, request), { rule: "the-rule", code: "POLICY_DENY", message: "no" });

test("the entry says what was requested, decided and returned, and the receipt commits to it", async () => {
  const { reply, recorded } = await start();
  const { body, entry, call } = await reply({ arguments: { q: "a" }, workflowId: "billing" }, found);
  assert.deepEqual(
    [entry.call_id, entry.tool_name, entry.policy_decision, entry.policy_rule_matched, entry.workflow_id],
    [call.id, "lookup", "allow", "r", "billing"],
  );
  assert.deepEqual(
    [entry.request_payload_hash, entry.response_inspection_result, entry.server_identity],
    [call.requestHash, "n/a", "http://127.0.0.1:9/mcp"],
  );
  assert.deepEqual(
    [entry.detail?.["policy_hash"], entry.detail?.["compliance_domain"], entry.detail?.["outcome"]],
    [call.policy.bundle.hash, "public", "delivered"],
  );
  assert.ok("result" in body && isJsonObject(body.result["_meta"]));
  const receipt = body.result["_meta"][RECEIPT_META_KEY];
  assert.ok(isJsonObject(receipt));
  assert.deepEqual(
    [receipt["call_id"], receipt["entry_hash"], receipt["decision"]],
    [call.id, entry.entry_hash, "allow"],
  );
  assert.equal(recorded.session.callsAllowed, 1);
});

test("the response hash covers all messages and the result, without the gateway's members", async () => {
  const { reply, recorded } = await start();
  const handed = (id: string | null, ...messages: JsonObject[]): string =>
    messagesCommitment(recorded, id ?? "", "response", messages);
  const said = [
    { method: "notifications/message", params: { level: "info", data: "x" } },
    { method: "roots/list", params: {} },
  ];
  const { entry } = await reply({}, found, said);
  assert.equal(entry.response_payload_hash, handed(entry.call_id, ...said, { result: { content: [] } }));
  const { entry: alone } = await reply({}, found);
  assert.equal(alone.response_payload_hash, handed(alone.call_id, { result: { content: [] } }));
});

test("the response hash covers an error, and the receipt is in its data", async () => {
  const { reply, recorded } = await start();
  const { body, entry, call } = await reply({}, denied);
  assert.ok("error" in body);
  const { code, message, data } = body.error;
  assert.equal(
    entry.response_payload_hash,
    messagesCommitment(recorded, call.id, "response", [
      { error: { code, message, data: { error_code: "POLICY_DENY" } } },
    ]),
  );
  assert.deepEqual([data?.["error_code"], data?.["call_id"]], ["POLICY_DENY", call.id]);
  assert.ok(isJsonObject(data?.["receipt"]));
  assert.equal(JSON.stringify(body).includes("the-rule"), false);
});

/** The receipt and the salts of an answer; without salts `null`. */
function openingOf(body: RpcBody): { readonly receipt: Receipt; readonly salts: JsonObject | null } {
  const meta = "result" in body ? body.result["_meta"] : body.error.data;
  assert.ok(isJsonObject(meta));
  const [receipt, salts] =
    "result" in body ? [meta[RECEIPT_META_KEY], meta[SALTS_META_KEY]] : [meta["receipt"], meta["salts"]];
  return { receipt: receiptSchema.parse(receipt), salts: isJsonObject(salts) ? salts : null };
}

function saltIn(salts: JsonObject | null, field: "request" | "response"): Uint8Array {
  const salt = salts?.[field];
  return (typeof salt === "string" ? fromHex(salt) : undefined) ?? assert.fail(`no salt of ${field}`);
}

test("the salts of a sealed call open what its receipt commits to, in a result and in an error, and a plain answer has none", async () => {
  const sealed = await start({ channel: "sealed" });
  const plain = await start();
  for (const endingOf of [found, denied]) {
    const { body, entry } = await sealed.reply({ arguments: { q: "a" } }, endingOf);
    const { receipt, salts } = openingOf(body);
    assert.deepEqual(
      [receipt.request_payload_hash, receipt.response_payload_hash],
      [entry.request_payload_hash, entry.response_payload_hash],
    );
    const request = { method: "tools/call", params: { name: "lookup", arguments: { q: "a" } } };
    const last: JsonValue =
      endingOf === found
        ? { result: { content: [] } }
        : { error: { code: -32000, message: "no", data: { error_code: "POLICY_DENY" } } };
    for (const [field, value] of [
      ["request", request],
      ["response", [last]],
    ] as const)
      assert.equal(
        commitmentTo(field, saltIn(salts, field), canonicalText(value)),
        entry[`${field}_payload_hash`],
        field,
      );
    const { body: clear, entry: recorded } = await plain.reply({}, endingOf);
    const opening = openingOf(clear);
    assert.deepEqual([opening.salts, opening.receipt.request_payload_hash], [null, undefined]);
    assert.ok(recorded.request_payload_hash !== null);
  }
});

test("beside the salts stands what went on of the agent's answers, where that is not what it wrote", async () => {
  const { reply } = await start({ channel: "sealed" });
  const told = async (requestHash?: string, inputResponses: JsonObject | null = null): Promise<unknown> => {
    const resent = requestHash === undefined ? {} : { requestHash, inputResponses };
    return openingOf((await reply({}, (request) => ({ ...found(request), ...resent }))).body).salts?.["inputResponses"];
  };
  const other = `sha256:${"a".repeat(64)}`;
  assert.equal(await told(), undefined);
  assert.deepEqual(await told(other, { q: { action: "accept" } }), { q: { action: "accept" } });
  assert.deepEqual(await told(other), {});
});

test("a sent call raises the session to the label of target and caller; a call that was not sent does not", async () => {
  const { reply, recorded } = await start();
  const { entry: first } = await reply({ name: "person", dataClass: "mnpi" }, denied);
  assert.deepEqual([first.session_sensitivity_before, first.session_sensitivity_after], ["public", "public"]);
  assert.equal(first.detail?.["compliance_domain"], undefined, "nobody was reached");
  assert.equal(first.effective_data_class, "mnpi");
  const { entry: second } = await reply({ name: "person" }, found);
  assert.deepEqual([second.session_sensitivity_before, second.session_sensitivity_after], ["public", "pii"]);
  const { entry: third } = await reply({ dataClass: "mnpi" }, found);
  assert.equal(third.session_sensitivity_after, recorded.session.sensitivity);
  assert.equal(recorded.session.sensitivity, "mnpi");
});

test("an unknown label is not recorded for the call that it refuses", async () => {
  const { reply } = await start();
  const { entry } = await reply({ name: "person", dataClass: "none" }, denied);
  assert.equal(entry.effective_data_class, "pii");
});

test("a name that the catalog does not have is not recorded: the host reads what is", async () => {
  const { reply } = await start();
  const ending = refuse(null, { rule: "not-in-catalog", code: "TOOL_NOT_IN_CATALOG", message: "no" });
  const { entry } = await reply({ name: "invented" }, () => ending);
  assert.deepEqual(
    [entry.tool_name, entry.server_identity, entry.effective_data_class, entry.evidence_class],
    ["(unknown)", null, null, "hash-only"],
  );
});

test("a workflow that is not the caller's is not recorded, whatever else the call is refused for", async () => {
  const { reply } = await start();
  const elsewhere = refuse(null, { rule: "not-in-catalog", code: "TOOL_NOT_IN_CATALOG", message: "no" });
  for (const ending of [denied, () => elsewhere]) {
    const { entry } = await reply({ workflowId: "what the caller typed" }, ending);
    assert.equal(entry.workflow_id, "(unknown)");
  }
});

test("a method other than tools/call is named in the entry", async () => {
  const { reply } = await start();
  const { entry: read } = await reply({ method: "resources/read", name: "note://all" }, found);
  const { entry: called } = await reply({}, found);
  assert.deepEqual([read.detail?.["method"], called.detail?.["method"]], ["resources/read", undefined]);
});

test("if each call has a claim, its sequence number goes to the agent", async () => {
  const { reply, made } = await start({ claims: true });
  const { body } = await reply({}, found);
  const [claim] = made;
  assert.ok(claim !== undefined && "result" in body && isJsonObject(body.result["_meta"]));
  const reference = {
    sequence_number: claim.gateway.sequence_number,
    claim_hash: claimHash(claim),
  };
  assert.deepEqual(body.result["_meta"][CLAIM_META_KEY], reference);
  const { body: error } = await reply({}, denied);
  assert.ok("error" in error && isJsonObject(error.error.data?.["claim"]));
});

test("an agent gets no answer before its entry is stored", async () => {
  const { recorded } = await start();
  const ports: RecordPorts = {
    vocabulary: recordRoom(new HostStore()).vocabulary,
    recordDecision: () => Promise.reject(new Error("the store is lost")),
    namesCatalog: false,
    mayUse: (_, workflow) => ["default", "billing"].includes(workflow),
    evidenceOf: () => "hash-only",
    serverDetail: () => ({}),
    refusalReceipt: () => ({ type: "refusal" }),
    claim: null,
  };
  const reply = { ending: found(requestFor()), peer };
  await assert.rejects(recordAndReply(makeCall(requestFor(), { recorded }), reply, ports), /lost/);
});
