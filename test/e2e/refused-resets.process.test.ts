/** Only an operator's signature resets: over this instance, this session, this chain, once. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { receiptOf } from "../gateway/fixture.ts";
import { newOperator, resetAfter } from "../gateway/operator.ts";
import { newToken } from "../gateway/principals.ts";
import { PATIENT, Resets } from "../gateway/resets.ts";

describe("a reset", () => {
  const resets = new Resets();
  const { operator, second, send, post, isStillHeld } = resets;
  before(() => resets.open());
  after(() => resets.close());
  beforeEach(() => resets.beginSession());

  test("that is forged is refused", async () => {
    const good = operator.sign(resetAfter(resets.seen, resets.sequence));
    const forger = newOperator();
    const forgeries: Record<string, object> = {
      "another's key and signature": forger.sign(good.statement),
      "an operator's key over another's signature": { ...forger.sign(good.statement), key: operator.publicKey },
      "one operator's signature under the other's key": { ...good, key: second.publicKey },
      "another reason": { ...good, statement: { ...good.statement, reason: "other" } },
      "another sequence": { ...good, statement: { ...good.statement, sequence: resets.sequence + 1 } },
      "a changed signature": {
        ...good,
        signature: `${good.signature[0] === "A" ? "B" : "A"}${good.signature.slice(1)}`,
      },
    };
    for (const [what, forgery] of Object.entries(forgeries))
      assert.deepEqual(await post(forgery), { status: 403, code: "OPERATOR_STATEMENT_INVALID" }, what);
    await isStillHeld();
  });

  test("that is no statement is refused, and a bearer token is never an operator", async () => {
    const good = operator.sign(resetAfter(resets.seen, resets.sequence));
    for (const [what, body] of Object.entries({
      nothing: {},
      "no signature": { statement: good.statement, key: good.key },
      "another purpose": { ...good, statement: { ...good.statement, purpose: "catalog-exception" } },
      "another version": { ...good, statement: { ...good.statement, v: 2 } },
      surplus: { ...good, allow: true },
      "sequence zero": { ...good, statement: { ...good.statement, sequence: 0 } },
      "too long": { ...good, padding: "x".repeat(9000) },
    })) {
      assert.deepEqual(await post(body), { status: 400, code: "MCP_INVALID_REQUEST" }, what);
    }
    const withToken = await resets.alice.request(`/sessions/${resets.seen.session_id}/reset`, {
      method: "POST",
      body: "{}",
    });
    assert.equal(withToken.status, 400);
    assert.equal((await resets.alice.request(`/sessions/${resets.seen.session_id}/reset`)).status, 405);
    await isStillHeld();
  });

  test("that was used before is refused, and so is any not counted further", async () => {
    const good = operator.sign(resetAfter(resets.seen, resets.sequence));
    assert.equal((await post(good)).code, "reset");
    const after = receiptOf((await resets.alice.call("get_patient_record", PATIENT, { label: resets.label })).body);
    assert.deepEqual(await post(good), { status: 409, code: "OPERATOR_STATEMENT_REPLAYED" });
    for (const old of [resets.sequence, resets.sequence - 1])
      assert.deepEqual(await post(operator.sign(resetAfter(after, old)), after.session_id), {
        status: 409,
        code: "OPERATOR_STATEMENT_REPLAYED",
      });
    await isStillHeld();
    const other = await post(second.sign(resetAfter(after, resets.sequence)), after.session_id);
    assert.equal(other.code, "reset", "another operator counts alone");
  });

  test("over a chain that has moved on is refused", async () => {
    const before = operator.sign(resetAfter(resets.seen, resets.sequence));
    const later = receiptOf((await resets.alice.call("get_patient_record", PATIENT, { label: resets.label })).body);
    assert.deepEqual(await post(before), { status: 409, code: "OPERATOR_STATEMENT_STALE" });
    await isStillHeld();
    assert.equal(
      (await post(operator.sign(resetAfter(later, resets.sequence)))).code,
      "reset",
      "a refused statement uses up no sequence",
    );
  });

  test("for another session is refused there, and for a closed or unknown one", async () => {
    const good = operator.sign(resetAfter(resets.seen, resets.sequence));
    const other = receiptOf(
      (await resets.alice.call("get_patient_record", PATIENT, { label: `${resets.label}-other` })).body,
    );
    assert.deepEqual(await post(good, other.session_id), { status: 409, code: "OPERATOR_STATEMENT_MISMATCH" });
    const unknown = operator.sign({ ...good.statement, session_id: "11111111-1111-4111-8111-111111111111" });
    assert.deepEqual(await post(unknown, unknown.statement.session_id), { status: 404, code: "NOT_FOUND" });
    await resets.alice.request(`/sessions/${resets.seen.session_id}/close`, { method: "POST" });
    assert.deepEqual(await post(good), { status: 404, code: "NOT_FOUND" });
    await isStillHeld();
  });

  test("for another instance is refused, a restarted one included; one that took effect outlives the restart", async () => {
    const elsewhere = operator.sign({ ...resetAfter(resets.seen, resets.sequence), instance: newToken() });
    assert.deepEqual(await post(elsewhere), { status: 409, code: "OPERATOR_STATEMENT_MISMATCH" });
    await isStillHeld();
    const old = operator.sign(resetAfter(resets.seen, resets.sequence + 5));
    await resets.deployment.killEnclave();
    assert.deepEqual(await post(old), { status: 409, code: "OPERATOR_STATEMENT_MISMATCH" });
    await isStillHeld();

    const again = receiptOf((await resets.alice.call("get_patient_record", PATIENT, { label: resets.label })).body);
    const reset = await post(operator.sign(resetAfter(again, resets.sequence)), again.session_id);
    assert.equal(reset.code, "reset");
    await resets.deployment.killEnclave();
    assert.equal(await send({ label: `${resets.label}-after` }), "sent");
  });
});
