/** A call that waits for a person: each framework's model is told so, makes the same call again, and the server gets it once. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { Approver } from "../gateway/approver.ts";
import { adviceOf, answerOf, sentenceOf } from "./answer.ts";
import { startMessageGateway, type MessageGateway } from "./deployment.ts";
import { FRAMEWORKS } from "./frameworks.ts";
import type { ScriptedCall } from "./task.ts";
import { startTurns } from "./turns.ts";

const POLICIES = `@id("everyday")
permit (principal, action == cMCP::Action::"call_tool", resource);

@id("messages-need-a-person")
@aarm_decision("require_approval")
@approvers("alice")
@approval_reason("messages leave the clinic")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message");
`;
const APPROVAL_URL = "https://approve.example/";
const WAITS =
  /^This tool call was refused: the call waits for a person to approve it, as approval (?<id>[A-Za-z0-9_-]{22}) at https:\/\/approve\.example\/\k<id> until 20[0-9:TZ-]+; repeat the call unchanged afterwards\. Tell whoever you work for that it waits\. Until then the same call gets the same answer\.$/;
const READ: ScriptedCall = { tool: "get_patient_record", arguments: { patient_id: "P-1002" } };

/** The approval that a model's text names. */
function approvalIn(given: string): string {
  const id = WAITS.exec(given)?.groups?.["id"];
  assert.ok(id !== undefined, given);
  return id;
}

suite("a call that waits for a person", () => {
  let folder = "";
  let alice: Approver;
  let gateway: MessageGateway;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-approver-"));
    alice = await Approver.make(folder, "alice");
    gateway = await startMessageGateway({
      policies: POLICIES,
      enclave: `approvers: [${alice.listed}], approval_url: "${APPROVAL_URL}"`,
    });
  });
  after(async () => {
    await gateway.close();
    await rm(folder, { recursive: true, force: true });
  });
  const approve = async (id: string): Promise<unknown> =>
    (await alice.approve({ url: gateway.base, launch_digest: gateway.launchDigest }, id)).request.arguments;
  const reached = (text: string): number =>
    gateway.records.calls.filter(({ arguments: args }) => "text" in args && args.text === text).length;

  for (const mode of ["legacy", "auto"] as const)
    test(`the text alone says what to do, and programs have it too (${mode})`, async () => {
      const where = { url: gateway.url, token: gateway.token, mode };
      const refused = await answerOf(where, { tool: "send_message", arguments: { to: "a", text: mode } });
      const id = approvalIn(sentenceOf(refused));
      const { code, advice, approval } = adviceOf(refused) ?? {};
      assert.deepEqual([code, advice, approval?.approval_id], ["APPROVAL_REQUIRED", "wait-for-approval", id]);
    });

  for (const { name, agent, mode, protocol } of FRAMEWORKS)
    test(`${name} makes the approved call once (${protocol})`, async () => {
      const text = `${name}, ${mode}`;
      const send: ScriptedCall = { tool: "send_message", arguments: { to: "desk@paper.example", text } };
      const ids: string[] = [];
      const turns = await startTurns(async (turn, given) => {
        if (turn === 1) {
          ids.push(approvalIn(given));
          assert.equal(reached(text), 0, "nothing is sent before the approval");
          assert.deepEqual(await approve(ids[0] ?? ""), send.arguments);
          assert.equal(reached(text), 0, "the approval sends nothing by itself");
        }
        if (turn === 2) assert.equal(reached(text), 1);
        if (turn === 3) ids.push(approvalIn(given));
      });
      try {
        const where = { url: gateway.url, token: gateway.token, mode, turns: turns.url };
        const run = await agent({ ...where, listOnce: false, calls: [send, send, send, READ] }).catch(
          (thrown: unknown) => {
            throw turns.failed ?? thrown;
          },
        );
        assert.deepEqual([run.protocol, run.end, run.answers.length], [protocol, "done", 4]);
        assert.equal(run.answers[1]?.text, "sent to desk@paper.example");
        assert.equal(reached(text), 1, "an approval counts once");
        assert.notEqual(ids[0], ids[1], "a further call asks anew");
      } finally {
        await turns.close();
      }
    });

  for (const { name, agent, mode, protocol } of FRAMEWORKS.filter(({ showsUrls }) => showsUrls))
    test(`${name} shows the URL once, and its call goes on where it was approved there (${protocol})`, async () => {
      const text = `${name} shows URLs`;
      const send: ScriptedCall = { tool: "send_message", arguments: { to: "desk@paper.example", text } };
      const given: string[] = [];
      const turns = await startTurns(async (_, what) => {
        given.push(what);
        // The first URL is accepted before anybody approves; the second one is accepted after that.
        if (given.length === 3) await approve(approvalIn(what));
        if (given.length === 5) await approve(what.slice(APPROVAL_URL.length));
        assert.equal(reached(text), given.length < 4 ? 0 : given.length < 6 ? 1 : 2);
      });
      try {
        const where = { url: gateway.url, token: gateway.token, mode, turns: turns.url, showsUrls: true };
        const run = await agent({ ...where, listOnce: false, calls: [send, send, send] }).catch((thrown: unknown) => {
          throw turns.failed ?? thrown;
        });
        assert.deepEqual([run.protocol, run.end], [protocol, "done"]);
        const [, first, refused, sent, second, last] = given;
        assert.equal(`${APPROVAL_URL}${approvalIn(refused ?? "")}`, first);
        assert.match(second ?? "", /^https:\/\/approve\.example\/[A-Za-z0-9_-]{22}$/);
        assert.notEqual(first, second);
        assert.deepEqual([sent, last, given.length], ["sent to desk@paper.example", "sent to desk@paper.example", 6]);
      } finally {
        await turns.close();
      }
    });
});
