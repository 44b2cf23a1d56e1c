import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Verdict } from "@cmcp/policy";
import { alice, bob, delivered, scene, TERMS } from "../testing/approval-scene.ts";
import { codeOf } from "../testing/pipeline-scene.ts";
import { MAX_HELD_OF_PRINCIPAL } from "./pending-approvals.ts";

void describe("a result that policy delivers only after an approval", () => {
  const RESULT = { content: [{ type: "text", text: "the whole ledger" }] };
  const held = async (rule = "results") => {
    let now = rule;
    let permitted: Partial<Verdict> = {};
    const made = await scene({
      decide: (facts) => (facts?.delivery === undefined ? {} : { decision: "step_up", rule: now, approval: TERMS }),
      decidesDelivery: true,
      answer: () => ({ kind: "complete", result: RESULT }),
      permits: () => permitted,
    });
    return {
      ...made,
      setRule: (name: string) => void (now = name),
      setPermitted: (verdict: Partial<Verdict>) => void (permitted = verdict),
    };
  };

  void it("is held, and delivered once when the call is repeated; the server gets one call", async () => {
    const { run, requested, answer, upstreams, entries, recorded, store } = await held();
    const request = await requested({ arguments: { q: "a" } });
    assert.deepEqual([request.subject, request.result, request.rule], ["result", RESULT, "results"]);
    const first = entries()[0];
    assert.deepEqual(
      [first?.policy_decision, first?.detail?.["error_code"], first?.detail?.["outcome"], upstreams.sent.length],
      ["step_up", "APPROVAL_REQUIRED", "withheld", 1],
    );
    assert.equal(recorded.session.integrity, "trusted", "no word of the server's was delivered");
    assert.equal(codeOf(await run({ arguments: { q: "a" } })), "APPROVAL_REQUIRED");
    await answer(alice, request);
    const body = await run({ arguments: { q: "a" } });
    assert.ok("result" in body);
    assert.deepEqual(body.result["content"], RESULT.content);
    assert.equal(upstreams.sent.length, 1);
    assert.equal(recorded.session.integrity, "untrusted", "the agent has read it");
    const last = entries().at(-1);
    assert.deepEqual(
      [last?.policy_decision, last?.detail?.["approved_by"], last?.detail?.["delivered_call"]],
      ["allow", "alice", first?.call_id],
    );
    const stored = JSON.stringify([...store.records].map(({ body: bytes }) => new TextDecoder().decode(bytes)));
    assert.ok(!stored.includes("ledger"));
    assert.equal(codeOf(await run({ arguments: { q: "a" } })), "APPROVAL_REQUIRED", "another call, another result");
    assert.equal(upstreams.sent.length, 2);
  });

  void it("waits for an approval of its own where its call had one, and the entry has both", async () => {
    const { run, requested, answer, upstreams, entries } = await scene({
      decide: (facts) => ({
        decision: "step_up",
        rule: facts?.delivery === undefined ? "ask" : "results",
        approval: TERMS,
      }),
      decidesDelivery: true,
    });
    const call = await requested();
    await answer(alice, call);
    const result = await requested();
    assert.deepEqual([call.subject, result.subject, upstreams.sent.length], ["call", "result", 1]);
    const { approval_id, approval_used, approved_by } = entries().at(-1)?.detail ?? {};
    assert.deepEqual([approval_id, approval_used, approved_by], [result.approval_id, call.approval_id, "alice"]);
    await answer(bob, result);
    assert.ok(delivered(await run()));
    const last = entries().at(-1)?.detail ?? {};
    assert.deepEqual(
      [last["approval_id"], last["approval_used"], last["approved_by"], upstreams.sent.length],
      [result.approval_id, undefined, "bob", 1],
    );
  });

  void it("is not delivered where it was denied, nothing permits it, another rule refuses it, or it is another call's", async () => {
    const { run, requested, answer, upstreams, setRule, setPermitted, entries } = await held();
    await answer(bob, await requested({ arguments: { q: "a" } }), { decision: "deny" });
    assert.equal(codeOf(await run({ arguments: { q: "a" } })), "APPROVAL_DENIED");
    await answer(alice, await requested({ arguments: { q: "b" } }));
    assert.equal(codeOf(await run({ arguments: { q: "c" } })), "APPROVAL_REQUIRED");
    setPermitted({ decision: "deny", rule: "default-deny" });
    assert.equal(codeOf(await run({ arguments: { q: "b" } })), "RESULT_WITHHELD");
    assert.equal(entries().at(-1)?.policy_decision, "deny");
    setPermitted({});
    setRule("another");
    assert.equal(codeOf(await run({ arguments: { q: "b" } })), "RESULT_WITHHELD");
    setRule("results");
    assert.equal(upstreams.sent.length, 3);
    assert.ok(delivered(await run({ arguments: { q: "b" } })));
    assert.equal(upstreams.sent.length, 3);
  });

  void it("is not delivered to a principal that was stopped since", async () => {
    const { run, requested, answer, upstreams, stop } = await held();
    await answer(alice, await requested());
    stop(true);
    assert.equal(codeOf(await run()), "KILL_SWITCH_TRIPPED");
    stop(false);
    assert.ok(delivered(await run()));
    assert.equal(upstreams.sent.length, 1);
  });

  void it("is held in bounded number, and withheld beyond", async () => {
    const { run, requested } = await held();
    for (let count = 0; count < MAX_HELD_OF_PRINCIPAL; count += 1) await requested({ arguments: { q: `${count}` } });
    assert.equal(codeOf(await run({ arguments: { q: "more" } })), "RESULT_WITHHELD");
  });

  void it("is withheld where nobody can approve it, or it is too large to be shown", async () => {
    const { run } = await scene({
      decide: (facts) =>
        facts?.delivery === undefined ? {} : { decision: "step_up", approval: { ...TERMS, needed: 4 } },
      decidesDelivery: true,
    });
    assert.equal(codeOf(await run()), "RESULT_WITHHELD");
  });

  void it("is gone once it expired, and the call is then another", async () => {
    const { run, requested, answer, clock, upstreams } = await held();
    await answer(alice, await requested());
    clock.now += 900_000;
    assert.equal(codeOf(await run()), "APPROVAL_REQUIRED");
    assert.equal(upstreams.sent.length, 2);
  });
});
