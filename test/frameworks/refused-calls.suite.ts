/** Agent frameworks hand their model a refused call as a tool result, and the run goes on to the next call. No model is called. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { RECEIPT_META_KEY, receiptSchema } from "@cmcp/audit/schema";
import { adviceOf, answerOf, sentenceOf } from "./answer.ts";
import { REFUSING_RULE, startMessageGateway, type MessageGateway } from "./deployment.ts";
import { FRAMEWORKS } from "./frameworks.ts";
import type { ScriptedCall } from "./task.ts";

const INSIDE = { to: "ward@clinic.example", text: "bed 4" };
const FIRST: ScriptedCall = { tool: "send_message", arguments: INSIDE };
const DENIED: ScriptedCall = { tool: "send_message", arguments: { ...INSIDE, to: "desk@paper.example" } };
const MISTYPED: ScriptedCall = { tool: "send_message", arguments: { ...INSIDE, text: 4 } };
const LAST: ScriptedCall = { tool: "get_patient_record", arguments: { patient_id: "P-1002" } };
const RECORD = { name: "Alan Sample", ssn: "219-09-9999", diagnosis: "Hypertension" };

suite("a refusal an agent understands", () => {
  let gateway: MessageGateway;
  before(async () => {
    gateway = await startMessageGateway();
  });
  after(async () => await gateway.close());

  for (const mode of ["legacy", "auto"] as const)
    test(`a refused call is a tool result with a sentence, the code, advice and a receipt (${mode})`, async () => {
      const where = { url: gateway.url, token: gateway.token, mode };
      const denied = await answerOf(where, DENIED);
      const mistyped = await answerOf(where, MISTYPED);
      assert.deepEqual(adviceOf(denied), { code: "POLICY_DENY", advice: "give-up" });
      assert.equal(adviceOf(mistyped)?.advice, "change-arguments");
      for (const result of [denied, mistyped]) {
        assert.match(sentenceOf(result), /^[^{}<>\n]{20,}\.$/);
        assert.ok(!JSON.stringify([result.content, adviceOf(result)]).includes(REFUSING_RULE));
        receiptSchema.parse(result._meta?.[RECEIPT_META_KEY]);
      }
      assert.match(sentenceOf(denied), /\bdo not try this call again\b/i);
      assert.match(sentenceOf(mistyped), /\bchange the arguments\b/i);
    });

  for (const { name, agent, mode, protocol, marks } of FRAMEWORKS)
    test(`${name} gives its model the sentence and goes on (${protocol})`, async () => {
      const where = { url: gateway.url, token: gateway.token, mode };
      const before = gateway.records.calls.length;
      const run = await agent({ ...where, listOnce: false, calls: [FIRST, DENIED, MISTYPED, LAST] });
      const reached = gateway.records.calls
        .slice(before)
        .map((call) => ({ tool: call.tool, arguments: call.arguments }));
      assert.deepEqual(reached, [FIRST, LAST]);
      assert.deepEqual([run.protocol, run.end], [protocol, "done"]);
      const texts = [
        `sent to ${INSIDE.to}`,
        sentenceOf(await answerOf(where, DENIED)),
        sentenceOf(await answerOf(where, MISTYPED)),
        JSON.stringify(RECORD),
      ];
      assert.deepEqual(
        run.answers.map(({ text }) => text),
        texts,
      );
      const marked = run.answers.map(({ error }) => error === true);
      assert.deepEqual(marked, [false, marks, marks, false]);
    });
});
