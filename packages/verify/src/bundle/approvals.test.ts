import assert from "node:assert/strict";
import { randomUUID, webcrypto } from "node:crypto";
import { describe, test } from "node:test";
import { approverDigest, readAnswer, requestHash, type ApprovalRequest, type Approver } from "@cmcp/approval";
import { SessionChain, type AuditEntry, type EntryFields } from "@cmcp/audit";
import { canonicalText, untrusted } from "@cmcp/boundary";
import { answerTo, newApprover, newPasskey, requestOf } from "../../../approval/src/testing/statements.ts";
import { Instance } from "../testing/instance.ts";
import { CATALOG_HASH, claimOf, failures, ISSUED_AT, judge, OTHER_HASH, POLICY_HASH } from "../testing/session.ts";

const instance = new Instance();
const [alice, bob] = [newApprover("alice"), newApprover("bob")];
const passkey = newPasskey("ES256");
const carol: Approver = { id: "carol", passkey: passkey.passkey };
const request = requestOf({ approvers: ["alice", "bob", "carol"] });
const hash = await requestHash(webcrypto, request);
const ALL = await approversOf([alice.approver, bob.approver, carol]);

async function approversOf(approvers: readonly Approver[]): Promise<string> {
  const named = approvers.map(async (one) => `${one.id}:${await approverDigest(webcrypto, one)}`);
  return (await Promise.all(named)).join(",");
}

const BOB_ALONE = await approversOf([bob.approver]);

const id = request.approval_id;
type Members = Readonly<Record<string, string | number>>;

function call(decision: "step_up" | "allow" | "deny", detail: Members, tool = "send_mail"): EntryFields {
  return {
    entry_type: "tool_call",
    call_id: randomUUID(),
    tool_name: tool,
    policy_decision: decision,
    session_sensitivity_after: "public",
    effective_data_class: "public",
    detail: { policy_hash: POLICY_HASH, compliance_domain: "public", ...detail },
  };
}
const waits = (detail: Members = {}): EntryFields =>
  call("step_up", {
    approval_id: id,
    approval_request: hash,
    approvals_needed: 1,
    approvers: "alice,bob,carol",
    ...detail,
  });
const passes = (detail: Members = {}, tool?: string): EntryFields =>
  call("allow", { approval_id: id, approved_by: "alice", ...detail }, tool);
const goesOn = (detail: Members = {}, tool?: string): EntryFields =>
  call("allow", { approval_continued: id, ...detail }, tool);

function answers(
  who: typeof alice,
  changes: Parameters<typeof alice.answer>[1] = {},
  of: ApprovalRequest = request,
): EntryFields {
  const signed = readAnswer(untrusted(who.answer(of, changes)));
  assert.ok("signature" in signed);
  const { answer, signature } = signed;
  return {
    entry_type: "approval",
    call_id: request.call_id,
    policy_decision: "n/a",
    detail: {
      approval_id: answer.approval_id,
      approval_request: answer.request_hash,
      approver: answer.approver,
      approver_key: canonicalText(who.approver),
      approval_decision: answer.decision,
      approval_signature: signature,
      ...(answer.reason === undefined ? {} : { approval_reason: answer.reason }),
    },
  };
}

function withDetail(fields: EntryFields, detail: Members): EntryFields {
  return { ...fields, detail: { ...fields.detail, ...detail } };
}

/** A closed session of these entries. */
function session(fields: readonly EntryFields[], approvers: string | null = ALL): AuditEntry[] {
  const chain = new SessionChain(randomUUID(), () => ISSUED_AT * 1000 - 60_000);
  const root = {
    policy_hash: POLICY_HASH,
    catalog_hash: CATALOG_HASH,
    enforcement_mode: "enforcing",
    launch_digest: OTHER_HASH,
    isolation: "network-namespace",
    channel: "plain",
    instance: instance.name,
    ...(approvers === null ? {} : { approvers }),
  };
  const start: EntryFields = { entry_type: "session_start", session_sensitivity_after: "public", detail: root };
  const end: EntryFields = {
    entry_type: "session_end",
    session_sensitivity_after: "public",
    detail: { policy_hash: POLICY_HASH },
  };
  return [start, ...fields, end].map((entry) => chain.append(entry));
}

async function judged(fields: readonly EntryFields[], approvers: string | null = ALL) {
  const entries = session(fields, approvers);
  return await judge({ claim: claimOf(instance, entries), bundle: instance.bundle(entries) });
}

describe("approvals in a record", () => {
  test("are accepted where each call has the answers that it needed, and the verdict says who gave them", async () => {
    const verdict = await judged([waits(), answers(alice, { reason: "fine" }), passes()]);
    assert.deepEqual(failures(verdict), []);
    assert.deepEqual(
      verdict.approvals?.map(({ approvals }) => approvals),
      [[{ approval_id: id, approvers: ["alice"] }]],
    );
    assert.match(verdict.checks.find(({ name }) => name === "approvals")?.why ?? "", /send_mail by alice/);
    const two = { approvals_needed: 2 };
    const both = [waits(two), answers(bob), waits(two), answers(alice), passes({ approved_by: "bob,alice" })];
    assert.deepEqual(failures(await judged(both)), []);
    assert.deepEqual(failures(await judged([waits(), answers(alice), answers(alice), passes()])), [], "given again");
    const task = await judged([waits(), answers(alice), passes(), goesOn(), goesOn()]);
    assert.deepEqual([failures(task), task.approvals?.length], [[], 1], "requests about the task that the call became");
    assert.equal((await judged([])).approvals, undefined);
    const denied = [
      waits(),
      answers(bob, { decision: "deny" }),
      call("deny", { approval_id: id, approval_request: hash }),
    ];
    assert.deepEqual(failures(await judged(denied)), []);
  });

  test("of a call are seen where its result waits for another one, or is withheld", async () => {
    const other = requestOf({
      approvers: ["alice", "bob", "carol"],
      subject: "result",
      result: {},
      approval_id: `${"B".repeat(21)}A`,
    });
    const waiting = { approval_id: other.approval_id, approval_request: await requestHash(webcrypto, other) };
    const held = waits({ ...waiting, approval_used: id, approved_by: "alice" });
    const delivered = passes({ approval_id: other.approval_id, approved_by: "bob" });
    const both = await judged([waits(), answers(alice), held, answers(bob, {}, other), delivered]);
    assert.deepEqual(failures(both), []);
    assert.deepEqual(
      both.approvals?.map(({ approvals }) => approvals.map(({ approvers }) => approvers)),
      [[["alice"]], [["bob"]]],
    );
    const withheld = call("deny", { approval_id: id, approved_by: "alice" });
    assert.deepEqual(failures(await judged([waits(), answers(alice), withheld])), []);
    for (const wrong of [
      [waits(), held],
      [waits(), answers(bob), held],
      [waits(), answers(alice), passes(), held],
      [waits(), answers(alice), waits({ ...waiting, approved_by: "alice" })],
      [waits(), answers(alice), withheld, passes()],
    ])
      assert.deepEqual(failures(await judged(wrong)), ["approvals APPROVAL_NOT_PROVEN"]);
  });

  test("are accepted of a passkey", async () => {
    const answer = answerTo(request, "carol");
    const entry: EntryFields = {
      entry_type: "approval",
      policy_decision: "n/a",
      detail: {
        approval_id: id,
        approval_request: hash,
        approver: "carol",
        approver_key: canonicalText(carol),
        approval_decision: "approve",
        ...passkey.assert(answer),
      },
    };
    const by = { approved_by: "carol" };
    assert.deepEqual(failures(await judged([waits(), entry, passes(by)])), []);
    const other = withDetail(entry, { ...passkey.assert(answer, { client: { origin: "https://evil.example" } }) });
    assert.deepEqual(failures(await judged([waits(), other, passes(by)])), ["approvals APPROVAL_NOT_PROVEN"]);
  });

  const two = { approvals_needed: 2 };
  const cases: Readonly<Record<string, readonly [readonly EntryFields[], RegExp, (string | null)?]>> = {
    "no answer": [[waits(), passes()], /too few approvers/],
    "one of two": [[waits(two), answers(alice), passes()], /too few approvers/],
    "one approver twice": [[waits(two), answers(alice), answers(alice), passes()], /too few approvers/],
    "a denial among them": [[waits(), answers(alice), answers(bob, { decision: "deny" }), passes()], /was denied/],
    "used twice": [[waits(), answers(alice), passes(), passes()], /was used before/],
    "no call that waited": [[answers(alice), passes()], /no call waited for it/],
    "another request": [[waits(), answers(alice, {}, requestOf({ needed: 2 })), passes()], /no call waited for it/],
    "another tool": [[waits(), answers(alice), passes({}, "wire")], /another call or policy/],
    "another policy": [[waits(), answers(alice), passes({ policy_hash: OTHER_HASH })], /another call or policy/],
    "approvers that did not": [[waits(), answers(alice), passes({ approved_by: "bob" })], /names other approvers/],
    "an approver that was not asked": [[waits({ approvers: "bob" }), answers(alice), passes()], /was not asked/],
    "an approver that is not measured": [[waits(), answers(alice), passes()], /does not name this approver/, BOB_ALONE],
    "no measured approvers": [[waits(), answers(alice), passes()], /does not name this approver/, null],
    "another key of that name": [[waits(), answers(newApprover("alice")), passes()], /does not name this approver/],
    "a changed decision": [
      [waits(), withDetail(answers(alice, { decision: "deny" }), { approval_decision: "approve" }), passes()],
      /did not sign it/,
    ],
    "another's name": [[waits(), withDetail(answers(alice), { approver: "bob" }), passes()], /did not sign it/],
    "no signature": [[waits(), withDetail(answers(alice), { approval_signature: "x" }), passes()], /did not sign it/],
    "a key that is none": [[waits(), withDetail(answers(alice), { approver_key: "{" }), passes()], /no signed answer/],
    "another request under its id": [
      [waits(), waits({ approvals_needed: 2 }), answers(alice), passes()],
      /another request/,
    ],
    "a call that does not say": [[call("step_up", { approval_id: id }), passes()], /does not say what it waits for/],
  };
  const continued: typeof cases = {
    "a request about a task under an approval that is none": [[goesOn()], /which no call had/],
    "a request about a task of a call that only waits": [[waits(), answers(alice), goesOn()], /which no call had/],
    "a request about a task of another tool": [
      [waits(), answers(alice), passes(), goesOn({}, "wire")],
      /another call or policy/,
    ],
    "a request about a task under another policy": [
      [waits(), answers(alice), passes(), goesOn({ policy_hash: OTHER_HASH })],
      /another call or policy/,
    ],
  };
  for (const [name, [fields, why, approvers = ALL]] of Object.entries(continued))
    test(`are refused with ${name}`, async () => {
      const verdict = await judged(fields, approvers);
      assert.ok(failures(verdict).includes("approvals APPROVAL_NOT_PROVEN"), JSON.stringify(failures(verdict)));
      assert.match(verdict.checks.find(({ name: check }) => check === "approvals")?.why ?? "", why);
    });
  for (const [name, [fields, why, approvers = ALL]] of Object.entries(cases))
    test(`are refused with ${name}`, async () => {
      const verdict = await judged(fields, approvers);
      assert.ok(failures(verdict).includes("approvals APPROVAL_NOT_PROVEN"), JSON.stringify(failures(verdict)));
      assert.match(verdict.checks.find(({ name: check }) => check === "approvals")?.why ?? "", why);
      assert.equal(verdict.approvals, undefined);
    });
});
