import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { newApprover } from "../../../approval/src/testing/statements.ts";
import { alice, bob, carol, delivered, refusedWith, scene, TERMS } from "../testing/approval-scene.ts";
import { codeOf } from "../testing/pipeline-scene.ts";

void describe("what approvers send", () => {
  void it("is seen under the seal alone", async () => {
    const { asked } = await scene();
    await assert.rejects(asked("/approvals", {}, "plain"), refusedWith("SEAL_REQUIRED"));
  });

  void it("begins with a statement of a measured approver, for this instance, of the present, once", async () => {
    const { tokenOf, asked, clock } = await scene();
    const invalid = refusedWith("APPROVAL_ACCESS_INVALID");
    await assert.rejects(tokenOf(newApprover("alice")), invalid);
    await assert.rejects(tokenOf(newApprover("dave")), invalid);
    await assert.rejects(tokenOf(alice, { instance: Buffer.alloc(32).toString("base64url") }), invalid);
    await assert.rejects(tokenOf(alice, { launch_digest: `sha256:${"e".repeat(64)}` }), invalid, "of another log");
    const now = Math.floor(clock.now / 1000);
    for (const issued_at of [now - 301, now + 302]) await assert.rejects(tokenOf(alice, { issued_at }), invalid);
    const random = Buffer.from("the-same-random-").toString("base64url");
    const token = await tokenOf(alice, { random });
    await assert.rejects(tokenOf(alice, { random }), invalid);
    assert.deepEqual(await asked("/approvals", { token }), { approvals: [] });
    for (const bad of ["", "x", `${token.slice(0, 42)}B`])
      await assert.rejects(asked("/approvals", { token: bad }), invalid);
    for (let count = 0; count < 4; count += 1) await tokenOf(alice);
    await assert.rejects(asked("/approvals", { token }), invalid, "the oldest of five");
    const last = await tokenOf(alice);
    clock.now += 15 * 60_000;
    await assert.rejects(asked("/approvals", { token: last }), invalid);
    await assert.rejects(
      asked("/approvals/access", { body: new Uint8Array(20_000) }),
      refusedWith("MCP_PAYLOAD_TOO_LARGE"),
    );
  });

  void it("shows each only what it may answer and has not", async () => {
    const { asked, tokenOf, requested, answer } = await scene({
      terms: { ...TERMS, needed: 2, approvers: ["alice", "bob"] },
    });
    const request = await requested({ arguments: { q: "a" } });
    const listed = async (who: typeof alice): Promise<number> =>
      ((await asked("/approvals", { token: await tokenOf(who) }))["approvals"] as unknown[]).length;
    assert.deepEqual([await listed(alice), await listed(carol)], [1, 0]);
    const path = `/approvals/${request.approval_id}`;
    assert.deepEqual((await asked(path, { token: await tokenOf(bob) }))["request"], request);
    await assert.rejects(asked(path, { token: await tokenOf(carol) }), refusedWith("APPROVAL_UNKNOWN"));
    await assert.rejects(answer(carol, request), refusedWith("APPROVAL_UNKNOWN"));
    await answer(alice, request);
    assert.deepEqual([await listed(alice), await listed(bob)], [0, 1]);
    await assert.rejects(
      asked(path, { token: await tokenOf(bob), body: new Uint8Array() }),
      refusedWith("METHOD_NOT_ALLOWED"),
    );
    await assert.rejects(asked(`${path}/answer`, { token: await tokenOf(bob) }), refusedWith("METHOD_NOT_ALLOWED"));
  });

  void it("is no answer to another request, under another key, in another name, replayed, late, or under another policy", async () => {
    const { requested, answer, asked, tokenOf, clock, setPolicy, run, upstreams } = await scene();
    const [first, second] = [await requested({ arguments: { q: "1" } }), await requested({ arguments: { q: "2" } })];
    const post = async (id: string, by: typeof alice, body: Uint8Array) =>
      await asked(`/approvals/${id}/answer`, { token: await tokenOf(by), body });
    const invalid = refusedWith("APPROVAL_ANSWER_INVALID");
    await assert.rejects(post(second.approval_id, alice, alice.answer(first)), invalid, "of another call");
    await assert.rejects(
      post(second.approval_id, alice, alice.answer(first, { approval_id: second.approval_id })),
      invalid,
      "of another call's arguments",
    );
    await assert.rejects(post(first.approval_id, alice, newApprover("alice").answer(first)), invalid, "another key");
    await assert.rejects(post(first.approval_id, alice, bob.answer(first)), invalid, "another's answer");
    const other = await scene();
    const elsewhere = await other.requested({ arguments: { q: "1" } });
    await assert.rejects(post(first.approval_id, alice, alice.answer(elsewhere)), invalid, "of another instance");
    await assert.rejects(answer(alice, elsewhere), refusedWith("APPROVAL_UNKNOWN"), "of another instance");
    await answer(alice, first);
    assert.ok(delivered(await run({ arguments: { q: "1" } })));
    await assert.rejects(answer(alice, first), refusedWith("APPROVAL_UNKNOWN"), "used");
    setPolicy(`sha256:${"0".repeat(64)}`);
    await assert.rejects(answer(alice, second), refusedWith("APPROVAL_UNKNOWN"), "another policy");
    setPolicy(second.policy_hash);
    clock.now += 900_000;
    await assert.rejects(answer(alice, second), refusedWith("APPROVAL_UNKNOWN"), "expired");
    assert.equal(upstreams.sent.length, 1);
  });

  void it("is no answer to a request under another catalog", async () => {
    const { requested, answer, changeCatalog } = await scene();
    const request = await requested();
    changeCatalog();
    await assert.rejects(answer(alice, request), { code: "APPROVAL_UNKNOWN", message: /another catalog/ });
  });

  void it("counts once even if it comes twice at one time, and only once it is in the record", async () => {
    const { requested, answer, store, recorded, holdAnswers, run } = await scene();
    const request = await requested();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    holdAnswers(promise);
    const answers = [answer(alice, request), answer(alice, request)];
    await assert.rejects(Promise.race(answers), refusedWith("APPROVAL_ANSWERED"));
    assert.equal(codeOf(await run()), "APPROVAL_REQUIRED", "no quorum has cosigned it");
    resolve(undefined);
    const settled = await Promise.allSettled(answers);
    const counted = settled.flatMap((each) => (each.status === "fulfilled" ? [each.value["state"]] : []));
    assert.deepEqual(counted, ["approved"]);
    const recordedAnswers = JSON.stringify([...store.records].map(({ body }) => new TextDecoder().decode(body)));
    assert.equal(recordedAnswers.split("approval_decision").length - 1, 1);
    assert.ok(!recordedAnswers.includes("mail leaves"));
    assert.ok(recorded.chain.length > 2);
  });

  void it("is not counted where it could not be recorded, and can be given again", async () => {
    const { requested, answer, holdAnswers, run } = await scene();
    const request = await requested();
    const lost = Promise.reject(new CmcpError("WITNESS_UNAVAILABLE", "no quorum"));
    lost.catch(() => undefined);
    holdAnswers(lost);
    await assert.rejects(answer(alice, request), refusedWith("WITNESS_UNAVAILABLE"));
    assert.equal(codeOf(await run()), "APPROVAL_REQUIRED");
    holdAnswers(Promise.resolve(undefined));
    assert.equal((await answer(alice, request))["state"], "approved");
  });

  void it("is not counted before the host's store has it", async () => {
    const { requested, answer, pending, room } = await scene();
    const request = await requested();
    room.journal.behind = true;
    await assert.rejects(answer(alice, request), refusedWith("AUDIT_STORE_UNAVAILABLE"));
    assert.equal(pending.waitingFor("alice").length, 1);
    room.journal.behind = false;
    assert.equal((await answer(alice, request))["state"], "approved");
  });

  void it("is void once the session is over", async () => {
    const { requested, answer, pending, recorded } = await scene();
    const request = await requested();
    recorded.lifecycle.step("close");
    recorded.lifecycle.step("end");
    await assert.rejects(answer(alice, request), refusedWith("APPROVAL_UNKNOWN"));
    assert.equal(pending.waitingFor("alice").length, 1);
    pending.forget(recorded.session.id);
    assert.equal(pending.waitingFor("alice").length, 0);
    await assert.rejects(answer(alice, request), refusedWith("APPROVAL_UNKNOWN"));
  });
});
