import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requestHash } from "@cmcp/approval";
import { isJsonObject } from "@cmcp/boundary";
import { silentPeer, type AgentRequest, type Peer, type RpcBody } from "@cmcp/mcp";
import { alice, approvalOf, bob, carol, delivered, refusedWith, scene, TERMS } from "../testing/approval-scene.ts";
import { CRYPTO } from "../testing/approvals.ts";
import { agentPeer } from "../testing/calls.ts";
import { codeOf } from "../testing/pipeline-scene.ts";
import { MAX_OF_PRINCIPAL } from "./pending-approvals.ts";

void describe("a call that policy refuses until a person approves it", () => {
  void it("waits, is sent once when it is repeated after the approval, and needs another one after that", async () => {
    const { run, upstreams, answer, requested, entries, pending } = await scene();
    const args = { q: "a" };
    const request = await requested({ arguments: args });
    assert.equal(upstreams.sent.length, 0);
    const first = entries()[0];
    assert.deepEqual(
      [first?.policy_decision, first?.policy_rule_matched, first?.detail?.["error_code"]],
      ["step_up", "ask", "APPROVAL_REQUIRED"],
    );
    assert.equal(first?.detail?.["approval_request"], await requestHash(CRYPTO, request));
    assert.deepEqual(request.arguments, args);
    assert.deepEqual(
      [request.target.name, request.rule, request.reason, request.needed],
      ["lookup", "ask", "mail leaves", 1],
    );
    const waiting = await run({ arguments: args });
    assert.equal(codeOf(waiting), "APPROVAL_REQUIRED", "nobody has answered");
    const end = new Date(request.expires_at * 1000).toISOString().slice(0, 19);
    assert.equal(
      "error" in waiting && waiting.error.message,
      `the call waits for a person to approve it, as approval ${request.approval_id} until ${end}Z; repeat the call unchanged afterwards`,
    );
    assert.equal((await answer(alice, request))["state"], "approved");
    assert.ok(delivered(await run({ arguments: args })));
    assert.equal(upstreams.sent.length, 1);
    const last = entries().at(-1);
    assert.deepEqual([last?.policy_decision, last?.detail?.["approved_by"]], ["allow", "alice"]);
    assert.equal(last?.detail?.["approval_id"], request.approval_id);
    assert.equal(pending.ofId(request.approval_id), undefined);
    const again = await requested({ arguments: args });
    assert.notEqual(again.approval_id, request.approval_id);
    assert.equal(upstreams.sent.length, 1);
  });

  void it("is said to people once, when it begins to wait, and again once it waits again", async () => {
    const { run, answer, requested, notified, setRule } = await scene();
    const request = await requested();
    assert.equal(codeOf(await run()), "APPROVAL_REQUIRED");
    assert.deepEqual(notified, [request]);
    await answer(alice, request);
    assert.ok(delivered(await run()));
    const again = await requested();
    assert.deepEqual(notified, [request, again]);
    setRule("another");
    await requested();
    assert.equal(notified.length, 3);
  });

  void it("is told a denial and its reason until it expires, and nothing is sent", async () => {
    const { run, upstreams, answer, requested, clock, entries } = await scene();
    const request = await requested();
    assert.equal((await answer(bob, request, { decision: "deny", reason: "not to him" }))["state"], "denied");
    const body = await run();
    assert.deepEqual([codeOf(body), approvalOf(body)["reason"]], ["APPROVAL_DENIED", "not to him"]);
    assert.equal(entries().at(-1)?.policy_decision, "deny");
    await assert.rejects(answer(alice, request), refusedWith("APPROVAL_UNKNOWN"));
    clock.now += 900_000;
    assert.notEqual((await requested()).approval_id, request.approval_id);
    assert.equal(upstreams.sent.length, 0);
  });

  void it("is of nobody where no measured approver may answer, and is refused as before", async () => {
    for (const terms of [
      { ...TERMS, needed: 4 },
      { ...TERMS, approvers: ["dave"] },
      { ...TERMS, needed: 2, approvers: ["alice", "dave"] },
    ]) {
      const { run, pending } = await scene({ terms });
      assert.equal(codeOf(await run()), "POLICY_DENY");
      assert.deepEqual(pending.waitingFor("alice"), []);
    }
  });

  void it("needs as many distinct approvers as the rule says", async () => {
    const { run, answer, requested, entries } = await scene({ terms: { ...TERMS, needed: 2 } });
    const request = await requested();
    assert.deepEqual(await answer(alice, request), {
      approval_id: request.approval_id,
      decision: "approve",
      state: "waiting",
      approvals: 1,
      needed: 2,
    });
    await assert.rejects(answer(alice, request), refusedWith("APPROVAL_ANSWERED"));
    assert.equal(codeOf(await run()), "APPROVAL_REQUIRED");
    await answer(carol, request);
    assert.ok(delivered(await run()));
    assert.equal(entries().at(-1)?.detail?.["approved_by"], "alice,carol");
  });

  void it("is not lifted by an approval of anything else of it", async () => {
    const approvedFor = async (rest: Partial<AgentRequest>, then: Partial<AgentRequest>): Promise<RpcBody> => {
      const { run, answer, requested } = await scene();
      await answer(alice, await requested(rest));
      return await run(then);
    };
    assert.ok(delivered(await approvedFor({ arguments: { q: "a" } }, { arguments: { q: "a" } })));
    for (const [rest, then] of [
      [{ arguments: { q: "a" } }, { arguments: { q: "b" } }],
      [{ arguments: { q: "a" } }, { arguments: {} }],
      [{}, { dataClass: "pii" }],
    ] as const)
      assert.equal(codeOf(await approvedFor(rest, then)), "APPROVAL_REQUIRED", JSON.stringify(then));
  });

  void it("is not lifted where another rule refuses it since, or nothing permits it", async () => {
    const { run, answer, requested, setRule, setPermitted, upstreams } = await scene();
    await answer(alice, await requested());
    setRule("another");
    assert.equal(codeOf(await run()), "APPROVAL_REQUIRED", "the other rule asks for its own approval");
    setRule("ask");
    setPermitted({ decision: "deny", rule: "default-deny" });
    assert.equal(codeOf(await run()), "POLICY_DENY");
    setPermitted({ decision: "step_up", rule: "p" });
    assert.equal(codeOf(await run()), "POLICY_DENY");
    assert.equal(upstreams.sent.length, 0);
    setPermitted({});
    assert.ok(delivered(await run()), "what was refused used nothing up");
  });

  void it("is not lifted under a policy that came into force since", async () => {
    const { run, answer, requested, reload, upstreams } = await scene();
    const request = await requested();
    await answer(alice, request);
    reload();
    assert.notEqual((await requested()).approval_id, request.approval_id);
    assert.equal(codeOf(await run()), "APPROVAL_REQUIRED");
    assert.equal(upstreams.sent.length, 0);
  });

  void it("is not lifted under a catalog that came into force since", async () => {
    const { run, answer, requested, changeCatalog, upstreams } = await scene();
    const request = await requested();
    await answer(alice, request);
    changeCatalog();
    const again = await requested();
    assert.notEqual(again.approval_id, request.approval_id);
    assert.notEqual(again.catalog_hash, request.catalog_hash);
    assert.equal(codeOf(await run()), "APPROVAL_REQUIRED");
    assert.equal(upstreams.sent.length, 0);
  });

  void it("is redacted as its permits say", async () => {
    const { run, answer, requested, setPermitted, entries } = await scene();
    await answer(alice, await requested());
    setPermitted({ decision: "redact", redactFields: ["ssn"] });
    await run();
    assert.notEqual(entries().at(-1)?.policy_decision, "allow");
  });

  void it("is sent once when two repeat it at one time", async () => {
    const { run, answer, requested, upstreams } = await scene();
    await answer(alice, await requested());
    const bodies = await Promise.all([run(), run()]);
    assert.equal(upstreams.sent.length, 1);
    assert.deepEqual(bodies.filter(delivered).length, 1);
  });

  void it("is not sent where its agent has gone away, and the approval is used up", async () => {
    const { run, answer, requested, upstreams } = await scene();
    await answer(alice, await requested());
    await run({}, silentPeer(AbortSignal.abort()));
    assert.equal(upstreams.sent.length, 0);
    assert.equal(codeOf(await run()), "APPROVAL_REQUIRED");
  });

  void it("shows an approver everything that would be sent, or asks nobody", async () => {
    const { run } = await scene();
    for (const rest of [{ input: { responses: { a: {} }, state: null } }, { arguments: { q: "x".repeat(600_000) } }])
      assert.equal(codeOf(await run(rest)), "POLICY_DENY", JSON.stringify(rest).slice(0, 80));
  });

  void it("has an id that a command takes as an argument", async () => {
    const ids: string[] = [];
    for (let room = 0; room < 4; room += 1) {
      const { requested } = await scene();
      for (let count = 0; count < 60; count += 1)
        ids.push((await requested({ arguments: { q: `${count}` } })).approval_id);
    }
    assert.deepEqual(
      ids.filter((id) => !/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/.test(id)),
      [],
    );
  });

  void it("waits in bounded number", async () => {
    const { run, requested, clock } = await scene();
    for (let count = 0; count < MAX_OF_PRINCIPAL; count += 1) await requested({ arguments: { q: `${count}` } });
    assert.equal(codeOf(await run({ arguments: { q: "more" } })), "OVERLOADED");
    assert.equal(
      codeOf(await run({ arguments: { q: "0" } })),
      "APPROVAL_REQUIRED",
      "what waits already goes on waiting",
    );
    clock.now += 900_000;
    await requested({ arguments: { q: "more" } });
  });

  void it("passes in a mode that does not enforce, and nobody is asked", async () => {
    const { run, pending } = await scene({ mode: "advisory" });
    assert.ok(delivered(await run()));
    assert.deepEqual(pending.waitingFor("alice"), []);
  });
});

void describe("an agent of MCP 2026-07-28 that shows URLs", () => {
  const retrying = (capabilities: Peer["capabilities"] = { elicitation: { url: {} } }): Peer =>
    agentPeer({ input: "retry", capabilities }).peer;
  const stateOf = (body: RpcBody): string => {
    assert.ok("result" in body, JSON.stringify(body));
    const { requestState } = body.result;
    assert.ok(typeof requestState === "string");
    return requestState;
  };

  void it("is sent to a URL with the id alone, and repeats its request with the state, which opens once", async () => {
    const { run, answer, pending, upstreams, entries } = await scene({ url: "https://gw.example/approve/" });
    const body = await run({ arguments: { q: "secret" } }, retrying());
    assert.ok("result" in body);
    const [waiting] = pending.waitingFor("alice");
    const id = waiting?.request.approval_id ?? "";
    const { inputRequests } = body.result;
    assert.ok(isJsonObject(inputRequests) && isJsonObject(inputRequests[id]));
    assert.deepEqual(inputRequests[id]["params"], {
      mode: "url",
      message: "A person must approve this call.",
      url: `https://gw.example/approve/${id}`,
      elicitationId: id,
    });
    assert.equal(entries()[0]?.policy_decision, "step_up");
    const input = { responses: { [id]: { action: "accept" } }, state: stateOf(body) };
    const early = await run({ arguments: { q: "secret" }, input }, retrying());
    assert.deepEqual(
      [codeOf(early), approvalOf(early)["approval_id"]],
      ["APPROVAL_REQUIRED", id],
      "it is sent there once",
    );
    const again = await run({ arguments: { q: "secret" } }, retrying());
    assert.ok("result" in again && again.result["requestState"] !== undefined, "it still waits");
    assert.ok(waiting !== undefined);
    await answer(alice, waiting.request);
    assert.equal(codeOf(await run({ arguments: { q: "secret" }, input }, retrying())), "REQUEST_STATE_INVALID");
    const last = { responses: { [id]: { action: "accept" } }, state: stateOf(again) };
    assert.equal(codeOf(await run({ arguments: { q: "other" }, input: last }, retrying())), "REQUEST_STATE_INVALID");
    assert.equal(upstreams.sent.length, 0);
    const done = await run({ arguments: { q: "secret" }, input: last }, retrying());
    assert.ok("result" in done && done.result["requestState"] === undefined);
    assert.equal(upstreams.sent.length, 1);
  });

  void it("is sent to the URL of each approval that a call needs, one after the other", async () => {
    const { run, answer, pending, recorded, upstreams } = await scene({ url: "https://gw.example/approve/" });
    recorded.session.raise({ compartments: [], integrity: "untrusted" });
    const first = await run({ name: "transfer" }, retrying());
    const [one] = pending.waitingFor("alice");
    assert.ok(one !== undefined);
    await answer(alice, one.request);
    const second = await run({ name: "transfer", input: { responses: {}, state: stateOf(first) } }, retrying());
    const two = pending.waitingFor("alice").find(({ request }) => request.approval_id !== one.request.approval_id);
    assert.ok(two !== undefined);
    await answer(bob, two.request);
    const done = await run({ name: "transfer", input: { responses: {}, state: stateOf(second) } }, retrying());
    assert.ok("result" in done && done.result["requestState"] === undefined);
    assert.equal(upstreams.sent.length, 1);
  });

  void it("gets the error where there is no URL, or it shows none", async () => {
    const without = await scene();
    assert.equal(codeOf(await without.run({}, retrying())), "APPROVAL_REQUIRED");
    const { run } = await scene({ url: "https://gw.example/approve/" });
    const body = await run({}, retrying({ elicitation: { form: {} } }));
    assert.equal(codeOf(body), "APPROVAL_REQUIRED");
    const { url, approval_id: id } = approvalOf(body);
    assert.ok(typeof id === "string");
    assert.equal(url, `https://gw.example/approve/${id}`);
  });
});

void describe("a consequential tool in an untrusted session", () => {
  const ALLOWED = () => ({ decision: "allow" as const, rule: "r" });

  void it("is called after an approval, once", async () => {
    const { run, requested, answer, recorded, upstreams } = await scene({ decide: ALLOWED });
    recorded.session.raise({ compartments: [], integrity: "untrusted" });
    const request = await requested({ name: "transfer" });
    assert.deepEqual([request.rule, request.labels.integrity], ["consequential-untrusted", "untrusted"]);
    await answer(alice, request);
    assert.ok(delivered(await run({ name: "transfer" })));
    assert.equal(codeOf(await run({ name: "transfer" })), "APPROVAL_REQUIRED");
    assert.equal(upstreams.sent.length, 1);
  });

  void it("needs an approval for each of two refusals", async () => {
    const { run, requested, answer, recorded, upstreams, entries } = await scene();
    recorded.session.raise({ compartments: [], integrity: "untrusted" });
    const first = await requested({ name: "transfer" });
    await answer(alice, first);
    const second = await requested({ name: "transfer" });
    assert.deepEqual([first.rule, second.rule], ["consequential-untrusted", "ask"]);
    await answer(bob, second);
    assert.ok(delivered(await run({ name: "transfer" })));
    assert.equal(upstreams.sent.length, 1);
    assert.deepEqual(
      [entries().at(-1)?.detail?.["approval_id"], entries().at(-1)?.detail?.["approved_by"]],
      [`${first.approval_id},${second.approval_id}`, "alice,bob"],
    );
  });
});
