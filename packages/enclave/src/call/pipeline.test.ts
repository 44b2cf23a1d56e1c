import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, isJsonObject } from "@cmcp/boundary";
import { agentPeer, policyStub } from "../testing/calls.ts";
import { messagesCommitment, requestCommitment } from "../testing/commitments.ts";
import { codeOf, FORM, start } from "../testing/pipeline-scene.ts";

test("a call that policy allows is journalled, sent, inspected, recorded and answered with its receipt", async () => {
  const { run, entries, intents, upstreams, atSend, recorded } = await start();
  const body = await run({ arguments: { q: "a" } });
  assert.ok("result" in body && isJsonObject(body.result["_meta"]));
  const [entry] = entries();
  const [intent] = intents();
  assert.deepEqual([entries().length, upstreams.sent.length, atSend], [1, 1, [1]], "the intent is stored before");
  assert.equal(intent?.request_hash, entry?.request_payload_hash);
  assert.equal(intent?.call_id, entry?.call_id);
  const { method, params } = upstreams.sent[0] ?? {};
  const callId = entry?.call_id ?? "";
  const request = { method: method ?? "", params: params ?? {} };
  assert.equal(entry?.request_payload_hash, requestCommitment(recorded, callId, request));
  const answer = [{ result: { content: [] } }];
  assert.equal(entry?.detail?.["upstream_response_hash"], messagesCommitment(recorded, callId, "upstream", answer));
});

test("a refused call has one entry and no intent, and nothing is sent", async () => {
  const denying = await start({ policy: policyStub(() => ({ decision: "deny" })) });
  const allowing = await start();
  const drifting = await start({ drifted: true });
  for (const [{ run, entries, intents, upstreams }, rest, code, decision] of [
    [denying, {}, "POLICY_DENY", "deny"],
    [allowing, { name: "none" }, "TOOL_NOT_IN_CATALOG", "deny"],
    [allowing, { arguments: { x: 1 } }, "MCP_INVALID_REQUEST", "deny"],
    [allowing, { workflowId: "other" }, "WORKFLOW_NOT_ALLOWED", "deny"],
    [allowing, { method: "tasks/get", name: "none" }, "TASK_UNKNOWN", "deny"],
    [allowing, { method: "tasks/cancel", name: "none" }, "TASK_UNKNOWN", "deny"],
    [allowing, { input: { responses: null, state: "AAAA" } }, "REQUEST_STATE_INVALID", "deny"],
    [allowing, { task: { ttlMs: null }, arguments: { q: "x".repeat(65_536) } }, "MCP_INVALID_REQUEST", "fault"],
    [drifting, {}, "CATALOG_DRIFT_DETECTED", "deny"],
  ] as const) {
    const before = entries().length;
    const body = await run(rest);
    const last = entries().at(-1);
    assert.equal(codeOf(body), code);
    assert.deepEqual([entries().length, last?.policy_decision], [before + 1, decision], code);
    assert.deepEqual([intents(), upstreams.sent], [[], []], code);
    assert.equal(last?.session_sensitivity_after, "public");
  }
});

test("data counts as seen before the agent gets a message, also if the call fails", async () => {
  let seen = "";
  const { run, recorded, entries } = await start({
    answer: async (_, peer) => {
      await peer.notify("notifications/message", { level: "info", data: "x" });
      throw new CmcpError("UPSTREAM_TIMEOUT", "no", { detail: { sent: 1 } });
    },
  });
  const { peer } = agentPeer({
    notify: async () => {
      seen = recorded.session.sensitivity;
    },
  });
  await run({ name: "person", arguments: { q: "Ann" } }, peer);
  const [entry] = entries();
  assert.deepEqual([seen, entry?.session_sensitivity_after, entry?.policy_decision], ["pii", "pii", "fault"]);
});

test("text of a server that is not trusted counts as seen before the agent gets it", async () => {
  const seen: string[] = [];
  const { run, recorded } = await start({
    answer: async (_, peer) => {
      seen.push(recorded.session.integrity);
      await peer.notify("notifications/message", { level: "info", data: "x" });
      return { kind: "complete", result: { content: [] } };
    },
  });
  const { peer } = agentPeer({ notify: async () => void seen.push(recorded.session.integrity) });
  await run({}, peer);
  assert.deepEqual(seen, ["trusted", "untrusted"]);
});

test("a caller that goes after its answer aborts nothing at the server", async () => {
  const signals: AbortSignal[] = [];
  const { run } = await start({
    answer: (_, { signal }) => {
      signals.push(signal);
      if (signals.length > 1) throw new Error("a defect");
      return { kind: "complete", result: { content: [] } };
    },
  });
  const agent = new AbortController();
  const { peer } = agentPeer({ signal: agent.signal });
  for (let call = 0; call < 2; call += 1) await run({}, peer);
  agent.abort();
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [false, false],
  );
});

test("the entry of a call that only the mode lets through says so", async () => {
  const policy = policyStub(() => ({ decision: "step_up", rule: "ask" }));
  const advised = { advisory_decision: "step_up", advisory_rule: "ask", advisory_code: "POLICY_DENY" };
  const detailOf = (detail: Readonly<Record<string, unknown>> | null | undefined): object => {
    const { advisory_decision, advisory_rule, advisory_code } = detail ?? {};
    return { advisory_decision, advisory_rule, advisory_code };
  };
  const through = await start({ policy, mode: "advisory" });
  await through.run();
  const [entry] = through.entries();
  assert.deepEqual([entry?.policy_decision, detailOf(entry?.detail)], ["advisory_deny", advised]);
  assert.deepEqual(through.advisories, ["POLICY_DENY"]);
  const drifted = await start({ policy, mode: "advisory", drifted: true });
  await drifted.run();
  const [stopped] = drifted.entries();
  assert.deepEqual([stopped?.policy_decision, detailOf(stopped?.detail)], ["deny", advised]);
});

test("text that could repeat redacted fields is removed from questions, log messages and errors", async () => {
  const policy = policyStub(() => ({ decision: "redact", redactFields: ["ssn"] }));
  const { run } = await start({
    policy,
    answer: async (_, peer) => {
      assert.equal(peer.wantsLog, false);
      await peer.notify("notifications/message", { level: "info", data: "SECRET" });
      await peer.ask("elicitation/create", { ...FORM, message: "SECRET" });
      return { kind: "complete", result: { content: [] } };
    },
  });
  const { peer, heard } = agentPeer({ wantsLog: true });
  const body = await run({ name: "person", arguments: { q: "Ann" } }, peer);
  assert.deepEqual([heard, JSON.stringify(body).includes("SECRET")], [[], false]);
  assert.equal(codeOf(body), "POLICY_DENY");
});

test("without the host's acknowledgement nothing is sent or answered", async () => {
  const { run, room, upstreams, entries } = await start();
  await run();
  room.journal.behind = true;
  await assert.rejects(run(), { code: "AUDIT_STORE_UNAVAILABLE" });
  assert.equal(upstreams.sent.length, 1);
  room.journal.behind = false;
  await run();
  assert.ok(entries().length > 1);
});

test("a session takes calls until it is full, and only the recorder ends it", async () => {
  const { run, recorded, upstreams } = await start();
  await run();
  // Room for the entries that are reserved, and for the call.
  while (recorded.chain.room > 1_024 + 1) recorded.chain.append({ entry_type: "catalog_drift" });
  await run();
  assert.equal(upstreams.sent.length, 2);
});

test("where the log has witnesses, an answer of the agent has an intent of its own before it reaches the server", async () => {
  for (const [hasWitnesses, expected] of [
    [false, 1],
    [true, 2],
  ] as const) {
    const atAnswer: number[] = [];
    const { run, intents, entries } = await start({
      hasWitnesses,
      answer: async (_, peer) => {
        await peer.ask("elicitation/create", { message: "?", requestedSchema: { type: "object", properties: {} } });
        atAnswer.push(intents().length);
        return { kind: "complete", result: { content: [] } };
      },
    });
    const { peer } = agentPeer({ ask: async () => ({ action: "decline" }) });
    await run({}, peer);
    assert.deepEqual([atAnswer, entries().length], [[expected], 1]);
    assert.equal(new Set(intents().map(({ call_id: id }) => id)).size, 1);
  }
});
