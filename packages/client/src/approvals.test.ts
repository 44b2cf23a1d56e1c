import assert from "node:assert/strict";
import { sign, webcrypto } from "node:crypto";
import { test } from "node:test";
import {
  readAccess,
  outputHash,
  readAnswer,
  readSignedPermission,
  recipientOf,
  requestHash,
  requestSigningInput,
  sourceScopeOf,
  verifyAccess,
  verifyAnswer,
  verifyPermission,
  type ApprovalRequest,
} from "@cmcp/approval";
import { preset } from "@cmcp/appraise";
import { canonicalBytes, canonicalText, toBase64Url, untrusted, type JsonObject } from "@cmcp/boundary";
import { newApprover, requestOf } from "../../approval/src/testing/statements.ts";
import { Instance } from "../../verify/src/testing/instance.ts";
import { approvals } from "./approvals.ts";
import { ScriptedEnclave, type Answer } from "./testing/scripted-enclave.ts";

const alice = newApprover("alice");
const EXPECTED = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;

/** An approver at an enclave that gives a token, and whatever a test says next. */
async function start() {
  const enclave = new ScriptedEnclave();
  const said: JsonObject[] = [];
  let next: Answer = { body: "{}" };
  enclave.answer = (message: JsonObject | null) => {
    if (message !== null) said.push(message);
    return Promise.resolve(
      message?.["access"] === undefined ? next : { body: JSON.stringify({ token: "t", expires_in: 900 }) },
    );
  };
  const approver = { id: "alice", sign: (message: Uint8Array) => sign(null, message, alice.privateKey) };
  const at = await approvals(enclave.url, EXPECTED, { approver, crypto: webcrypto, fetch: enclave.fetch });
  const request = requestOf({ instance: enclave.instance.name });
  const signedBy = (instance: Instance, what: ApprovalRequest): Answer => ({
    body: canonicalText({ request: what, signature: toBase64Url(instance.sign(requestSigningInput(what))) }),
  });
  return { at, enclave, said, request, signedBy, answerWith: (answer: Answer) => void (next = answer) };
}

test("an approver says who it is, sees a request that the verified enclave signed, and signs an answer to it", async () => {
  const { at, enclave, said, request, signedBy, answerWith } = await start();
  const access = readAccess(untrusted(canonicalBytes(said[0] ?? {})));
  await verifyAccess(webcrypto, alice.approver, access);
  assert.equal(access.access.instance, enclave.instance.name);
  assert.equal(access.access.launch_digest, at.verdict.binding?.launch_digest);
  answerWith(signedBy(enclave.instance, request));
  const shown = await at.show(request.approval_id);
  assert.deepEqual(shown, { request, hash: await requestHash(webcrypto, request) });
  answerWith({ body: JSON.stringify({ state: "approved", approvals: 1, needed: 1 }) });
  assert.deepEqual(await at.answer(shown, { decision: "deny", reason: "no" }), {
    state: "approved",
    approvals: 1,
    needed: 1,
  });
  const signed = readAnswer(untrusted(canonicalBytes(said.at(-1) ?? {})));
  await verifyAnswer(webcrypto, alice.approver, signed);
  assert.deepEqual(
    [signed.answer.request_hash, signed.answer.decision, signed.answer.reason],
    [shown.hash, "deny", "no"],
  );
});

test("what another instance signed, nobody did, or is of another approval is never shown", async () => {
  const { at, enclave, request, signedBy, answerWith } = await start();
  const refused = { code: "APPROVAL_REQUEST_INVALID" } as const;
  const other = new Instance();
  const sound = signedBy(enclave.instance, request);
  for (const answer of [
    signedBy(other, request),
    signedBy(enclave.instance, { ...request, instance: other.name }),
    { body: sound.body.replace("Grüße", "Gruesse") },
  ]) {
    answerWith(answer);
    await assert.rejects(at.show(request.approval_id), refused);
  }
  answerWith(sound);
  await assert.rejects(at.show("A".repeat(22)), refused);
  answerWith({ body: "{}" });
  await assert.rejects(at.show(request.approval_id), { code: "APPROVAL_MALFORMED" });
});

test("an answer of the enclave's that is none is refused, and its refusals are passed on", async () => {
  const { at, answerWith } = await start();
  const invalid = { code: "GATEWAY_ANSWER_INVALID" } as const;
  for (const body of ["{", "[]", "{}", '{"approvals":[1]}']) {
    answerWith({ body });
    await assert.rejects(at.list(), invalid, body);
  }
  const error = { code: "APPROVAL_UNKNOWN", message: "gone", action: "list" };
  answerWith({ status: 404, body: JSON.stringify({ error }) });
  await assert.rejects(at.list(), { code: "APPROVAL_UNKNOWN" });
  answerWith({ body: JSON.stringify({ approvals: [{ approval_id: "x" }] }) });
  assert.deepEqual(await at.list(), [{ approval_id: "x" }]);
});

test("an owner signs a permission for the verified enclave, and it is given once the enclave names it", async () => {
  const { at, enclave, said, answerWith } = await start();
  const call = {
    principal: "agent-1",
    server: "spiffe://mail",
    tool: "send_mail",
    arguments: { text: "yes" },
    purpose: "default",
    rule: "stay",
    labels: ["pii"],
    policyHash: `sha256:${"a".repeat(64)}`,
    notBefore: 1_000,
    expiresAt: 1_900,
  };
  answerWith({ body: "{}" });
  await assert.rejects(at.permit(call), { code: "GATEWAY_ANSWER_INVALID" });
  const { permission, salt, ...signature } = readSignedPermission(untrusted(canonicalBytes(said.at(-1) ?? {})));
  await verifyPermission(webcrypto, alice.approver, { permission, ...signature });
  assert.deepEqual(
    [permission.source_scope, permission.recipient, permission.output_sha256],
    [
      sourceScopeOf(enclave.instance.name, "stay"),
      recipientOf("spiffe://mail", "send_mail"),
      await outputHash(webcrypto, salt, call.arguments),
    ],
  );
  answerWith({ body: JSON.stringify({ request_id: permission.request_id }) });
  await assert.rejects(at.permit(call), { code: "GATEWAY_ANSWER_INVALID" }, "each has an id of its own");
});
