/** The quickstart's own refusal: what a session has seen makes a tool end in the middle of a run, and the run goes on. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { startGateway } from "../gateway/gateway.ts";
import { startDeployment, type Deployment } from "../gateway/principals.ts";
import { adviceOf, answerOf, sentenceOf } from "./answer.ts";
import { FRAMEWORKS } from "./frameworks.ts";
import type { ScriptedCall } from "./task.ts";

const RECORD: ScriptedCall = { tool: "get_patient_record", arguments: { patient_id: "P-1001" } };
const MESSAGE: ScriptedCall = { tool: "send_message", arguments: { to: "desk@paper.example", text: "Ada" } };

/** Each run has a principal of its own, as what a session has seen goes on into the principal's next one. */
const principalOf = (index: number): string => `agent-${index}`;

suite("a tool that the session's own past refuses", () => {
  let deployment: Deployment;
  before(async () => {
    deployment = await startDeployment(
      Object.fromEntries(FRAMEWORKS.map((_, index) => [principalOf(index), null])),
      [],
      startGateway,
    );
  });
  after(async () => await deployment.close());

  for (const [index, { name, agent, mode, protocol }] of FRAMEWORKS.entries())
    test(`${name} gives its model the sentence and goes on (${protocol})`, async () => {
      const where = { url: deployment.gateway.mcp, token: deployment.tokenOf(principalOf(index)), mode };
      const run = await agent({ ...where, listOnce: false, calls: [RECORD, MESSAGE, RECORD] });
      const refused = await answerOf(where, MESSAGE);
      assert.deepEqual(adviceOf(refused), { code: "SESSION_SENSITIVITY_POLICY_DENY", advice: "give-up" });
      const record = JSON.stringify({ name: "Ada Example", diagnosis: "Type 2 diabetes" });
      assert.deepEqual(
        run.answers.map(({ text }) => text),
        [record, sentenceOf(refused), record],
      );
      assert.deepEqual([run.protocol, run.end], [protocol, "done"]);
      assert.ok(deployment.records.calls.every(({ tool }) => tool !== MESSAGE.tool));
    });
});
