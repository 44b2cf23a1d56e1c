import assert from "node:assert/strict";
import { generateKeyPairSync, sign, webcrypto } from "node:crypto";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { canonicalBytes, CmcpError, toBase64Url, untrusted } from "@cmcp/boundary";
import {
  isSignedBy,
  readRequest,
  requestBytes,
  requestHash,
  requestSigningInput,
  type ApprovalRequest,
} from "./request.ts";
import { requestOf } from "./testing/statements.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const { x = "" } = publicKey.export({ format: "jwk" });

function signed(request: ApprovalRequest): Uint8Array<ArrayBuffer> {
  return canonicalBytes({ request, signature: toBase64Url(sign(null, requestSigningInput(request), privateKey)) });
}

const ANSWERS = {
  q1: {
    method: "elicitation/create",
    params: { message: "Who?" },
    answer: { action: "accept", content: { to: "bob" } },
  },
};

const malformed = { code: "APPROVAL_MALFORMED" } as const;

void describe("an approval request", () => {
  void it("reads back as it was signed, and verifies under the key that signed it alone", async () => {
    for (const request of [
      requestOf(),
      requestOf({ flows: null, reason: null, approvers: ["alice", "bob", "carol"], needed: 3 }),
      requestOf({ subject: "result", result: { content: [{ type: "text", text: "secret" }] } }),
      requestOf({ task: { ttl: 60_000 } }),
      requestOf({ task: { ttl: null } }),
      requestOf({ task: { id: "t" }, answers: ANSWERS }),
      requestOf({ answers: {} }),
    ]) {
      const read = readRequest(untrusted(signed(request)));
      assert.deepEqual(read.request, request);
      assert.equal(await isSignedBy(webcrypto, x, read), true);
      const other = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }).x ?? "";
      assert.equal(await isSignedBy(webcrypto, other, read), false);
      assert.equal(await isSignedBy(webcrypto, "short", read), false);
    }
  });

  void it("does not verify once anything of it is changed", async () => {
    const read = readRequest(untrusted(signed(requestOf())));
    const changes: Partial<ApprovalRequest>[] = [
      { arguments: { to: "mallory@example.org", text: "Grüße" } },
      { needed: 2 },
      { rule: "another-rule" },
      { expires_at: 1_901 },
      { task: { ttl: 1 } },
      { answers: ANSWERS },
      { target: { method: "tools/call", name: "send_mail", server: "spiffe://other" } },
    ];
    for (const change of changes)
      assert.equal(await isSignedBy(webcrypto, x, { ...read, request: { ...read.request, ...change } }), false);
  });

  void it("is not what the instance signs elsewhere: the signature is under a context of its own", async () => {
    const request = requestOf();
    const signature = toBase64Url(sign(null, requestBytes(request), privateKey));
    assert.equal(await isSignedBy(webcrypto, x, { request, signature }), false);
  });

  void it("has a hash that says nothing of what it holds: the salt alone gives another one", async () => {
    const [first, second] = [requestOf(), requestOf({ salt: toBase64Url(new Uint8Array(32).fill(4)) })];
    assert.match(await requestHash(webcrypto, first), /^sha256:[0-9a-f]{64}$/);
    assert.notEqual(await requestHash(webcrypto, first), await requestHash(webcrypto, second));
  });

  void it("is refused with anything wrong, missing or surplus", () => {
    const bad: Partial<ApprovalRequest>[] = [
      { needed: 3 },
      { needed: 0 },
      { approvers: [] },
      { approvers: ["alice", "alice"], needed: 1 },
      { approvers: ["alice,bob"] },
      { expires_at: 1_000 },
      { expires_at: 1_000 + 86_401 },
      { salt: "short" },
      { approval_id: "short" },
      { result: {} },
      { subject: "result" },
      { policy_hash: "sha256:short" },
      { task: { ttl: -1 } },
      { task: { id: "" } },
      { answers: Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`q${at}`, ANSWERS.q1])) },
    ];
    for (const change of bad) assert.throws(() => requestBytes(requestOf(change)), malformed, JSON.stringify(change));
    const surplus = { ...requestOf(), also: 1 };
    assert.throws(
      () => readRequest(untrusted(canonicalBytes({ request: surplus, signature: "A".repeat(86) }))),
      malformed,
    );
  });

  void it("has one spelling: any other of the same value is refused", () => {
    const text = new TextDecoder().decode(signed(requestOf()));
    const other = text.replace('{"request":', '{ "request":');
    assert.notEqual(other, text);
    assert.throws(() => readRequest(untrusted(new TextEncoder().encode(other))), malformed);
    const twice = text.replace('"needed":1', '"needed":1,"needed":1');
    assert.throws(() => readRequest(untrusted(new TextEncoder().encode(twice))), malformed);
  });

  void it("refuses any bytes without repeating what they say", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        (bytes) => {
          assert.throws(() => readRequest(untrusted(bytes)), malformed);
        },
      ),
    );
    assert.throws(
      () => readRequest(untrusted(canonicalBytes({ request: { ...requestOf(), principal: 7, reason: "hunter2" } }))),
      (thrown) => thrown instanceof CmcpError && !thrown.message.includes("hunter2"),
    );
  });

  void it("holds any arguments that are JSON", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ maxDepth: 4 })), (value) => {
        const text = JSON.stringify(value);
        // No reader takes this key, and JSON has no -0.
        fc.pre(!text.includes('"__proto__"'));
        const args = JSON.parse(text) as ApprovalRequest["arguments"];
        const request = requestOf({ arguments: args });
        assert.deepEqual(readRequest(untrusted(signed(request))).request.arguments, args);
      }),
      { numRuns: 50 },
    );
  });
});
