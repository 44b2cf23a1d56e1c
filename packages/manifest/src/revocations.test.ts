import assert from "node:assert/strict";
import { test } from "node:test";
import { untrusted } from "@cmcp/boundary";
import {
  MAX_REVOCATIONS_BYTES,
  MAX_REVOCATIONS_SECONDS,
  MAX_REVOKED_MANIFESTS,
  readRevocations,
  revocationsInput,
  signRevocations,
  type RevocationList,
} from "./revocations.ts";
import { ManifestIssuer } from "./testing/issuer.ts";

const authority = new ManifestIssuer(2);
const signer = {
  publicKey: authority.publicKey,
  sign: (message: Uint8Array) => authority.sign(message).toString("base64url"),
};
const LIST: RevocationList = {
  v: 1,
  sequence: 7,
  issued_at: 1_795_000_000,
  valid_until: 1_795_000_000 + MAX_REVOCATIONS_SECONDS,
  manifests: ["018f4a3b-2c1d-7e5f-a8b9-0d1e2f3a4b5c"],
  issuers: ["spiffe://bank.example/issuers/desk"],
  keys: ["0".repeat(64)],
};
const read = (bytes: Uint8Array): unknown => readRevocations(untrusted(new Uint8Array(bytes)));

test("a signed list is read as it was written", () => {
  const signed = readRevocations(untrusted(signRevocations(LIST, signer)));
  assert.deepEqual(signed.list, LIST);
  assert.equal(signed.key, authority.publicKey);
  assert.equal(signed.signature, authority.sign(revocationsInput(LIST)).toString("base64url"));
  assert.match(Buffer.from(revocationsInput(LIST)).toString("utf8"), /^cmcp-manifest-revocations-v1\|\{"issued_at"/);
});

test("what is not known, or out of bounds, is refused", () => {
  const text = Buffer.from(signRevocations(LIST, signer)).toString("utf8");
  const code = { code: "AGENT_MANIFEST_REVOCATIONS_REFUSED" };
  for (const other of [
    `${text}x`,
    text.replace('"sequence":7', '"sequence":7,"sequence":7'),
    text.replace('"sequence":7', '"sequence":0'),
    text.replace('"v":1', '"v":2'),
    text.replace('"list":{', '"list":{"more":1,'),
    text.slice(0, -1),
    "",
  ])
    assert.throws(() => read(Buffer.from(other)), code, other.slice(0, 80));
  assert.throws(() => read(Buffer.alloc(MAX_REVOCATIONS_BYTES + 1, 0x20)), code);
});

test("a list is in force for a bounded time, and names a bounded number", () => {
  const refused = (more: Partial<RevocationList>, why: RegExp): void =>
    assert.throws(() => signRevocations({ ...LIST, ...more }, signer), {
      code: "AGENT_MANIFEST_REVOCATIONS_REFUSED",
      message: why,
    });
  refused({ valid_until: LIST.valid_until + 1 }, /valid_until/);
  refused({ valid_until: LIST.issued_at }, /valid_until/);
  refused({ manifests: Array<string>(MAX_REVOKED_MANIFESTS + 1).fill(LIST.manifests[0] ?? "") }, /manifests/);
  refused({ issuers: ["desk"] }, /issuers/);
});
