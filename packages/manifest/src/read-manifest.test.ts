import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import { CmcpError, untrusted, type JsonObject } from "@cmcp/boundary";
import * as fc from "fast-check";
import {
  MAX_MANIFEST_BYTES,
  MAX_MANIFEST_DEPTH,
  MAX_MANIFEST_ITEMS,
  readManifest,
  type ReadManifest,
} from "./read-manifest.ts";
import { ManifestIssuer, manifestMembers } from "./testing/issuer.ts";

const issuer = new ManifestIssuer();
const read = (bytes: Uint8Array): ReadManifest => readManifest(untrusted(new Uint8Array(bytes)));

function isSigned({ signed, signature }: ReadManifest): boolean {
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: issuer.publicKey }, format: "jwk" });
  return verify(null, signed, key, signature);
}

function refused(bytes: Uint8Array, why: RegExp): void {
  assert.throws(() => read(bytes), { code: "AGENT_MANIFEST_MALFORMED", message: why });
}

/** The manifest's JSON with one piece of text replaced. */
function edited(from: string, to: string): Buffer {
  const text = issuer.json().toString("utf8");
  assert.ok(text.includes(from));
  return Buffer.from(text.replace(from, to));
}

test("a manifest with a detached signature is read, and its signature is over what the specification names", () => {
  const found = read(issuer.json());
  assert.ok(isSigned(found));
  assert.deepEqual(
    [found.form, found.keyId, found.members.agent_id],
    ["json", issuer.keyId, "spiffe://bank.example/agents/desk"],
  );
  assert.deepEqual(found.identified, found.signed);
  assert.equal(Buffer.from(found.intent ?? []).toString("utf8"), '{"statement":"reads tickets"}');
  assert.equal(read(issuer.json(without("intent"))).intent, null);
  assert.ok(!isSigned(read(edited("agents/desk", "agents/door"))));
});

test("what attaches after signing changes neither signature nor thumbprint, and null members are none", () => {
  const plain = read(issuer.json());
  const object = JSON.parse(issuer.json().toString("utf8")) as JsonObject;
  const more = { ...object, attestation: { any: 1 }, transparency_log_entry: {}, hitl_record: null, data_scope: null };
  const found = read(Buffer.from(JSON.stringify(more)));
  assert.ok(isSigned(found));
  assert.deepEqual(found.identified, plain.identified);
  const record = { required: false, approvals: [] };
  const approved = manifestMembers({ hitl_record: record });
  const later = { ...approved, hitl_record: { ...record, approvals: [{}] }, signature: issuer.block(approved) };
  assert.ok(isSigned(read(Buffer.from(JSON.stringify(later)))));
});

test("a COSE_Sign1 is read, its signature is over the payload as it came, and its unprotected header is not read", () => {
  const found = read(issuer.cose());
  assert.ok(isSigned(found));
  assert.deepEqual([found.form, found.keyId], ["cose", issuer.keyId]);
  const payload = Buffer.from(JSON.stringify(manifestMembers({ version: "0.2" }), null, 1));
  const spaced = read(issuer.cose(undefined, { payload }));
  assert.ok(isSigned(spaced));
  assert.deepEqual(Buffer.from(spaced.identified), payload);
  const receipts = read(issuer.cose(undefined, { unprotected: Buffer.from("a119018a8144d284a0f6", "hex") }));
  assert.ok(isSigned(receipts));
  assert.deepEqual(receipts.identified, found.identified);
  assert.ok(
    isSigned(read(issuer.cose(undefined, { header: issuer.header("27") }))),
    "the identifier that RFC 9864 replaced",
  );
});

test("a duplicate key is refused in either form", () => {
  refused(edited('"version":"0.1"', '"version":"0.1","version":"0.1"'), /duplicate key/);
  const payload = Buffer.from(JSON.stringify(manifestMembers({ version: "0.2" })).replace("{", '{"version":"0.2",'));
  refused(issuer.cose(undefined, { payload }), /duplicate key/);
  refused(issuer.cose(undefined, { unprotected: Buffer.from("a20a000a00", "hex") }), /label twice/);
});

test("what is too large, too deep or of too many values is refused", () => {
  refused(Buffer.alloc(MAX_MANIFEST_BYTES + 1, 0x20), /has more than 262144 bytes/);
  refused(issuer.json(manifestMembers({ data_scope: nested(MAX_MANIFEST_DEPTH) })), /nested deeper/);
  assert.ok(isSigned(read(issuer.json(manifestMembers({ data_scope: nested(MAX_MANIFEST_DEPTH - 1) })))));
  refused(issuer.json(manifestMembers({ data_scope: Array<number>(MAX_MANIFEST_ITEMS).fill(0) })), /more than 20000/);
  const deep = Buffer.concat([Buffer.from("a10a", "hex"), Buffer.alloc(18, 0x81), Buffer.from("00", "hex")]);
  refused(issuer.cose(undefined, { unprotected: deep }), /nested deeper than 16/);
  const many = Buffer.concat([Buffer.from("a10a9903e8", "hex"), Buffer.alloc(1000)]);
  refused(issuer.cose(undefined, { unprotected: many }), /more than 1000 CBOR items/);
});

test("an algorithm that is not Ed25519 is refused in either form", () => {
  refused(edited('"Ed25519"', '"ML-DSA-65"'), /signature|algorithm/);
  for (const alg of ["3830", "26", "00", "3819"])
    refused(issuer.cose(undefined, { header: issuer.header(alg) }), /algorithm is not Ed25519/);
  refused(issuer.json(manifestMembers({ crypto_profile: "post-quantum" })), /crypto_profile/);
});

test("trailing bytes, and bytes that are missing, are refused in either form", () => {
  refused(Buffer.concat([issuer.json(), Buffer.from("{}")]), /./);
  refused(Buffer.concat([issuer.cose(), Buffer.of(0)]), /bytes too many/);
  const whole = issuer.cose();
  for (let length = 1; length < whole.length; length += 7)
    assert.throws(() => read(whole.subarray(0, length)), { code: "AGENT_MANIFEST_MALFORMED" }, String(length));
});

test("an envelope of another kind, or with headers that say something else, is refused", () => {
  refused(Buffer.concat([Buffer.from("d862", "hex"), issuer.cose().subarray(1)]), /./);
  refused(issuer.cose().subarray(1), /./);
  refused(issuer.cose(undefined, { header: issuer.header("32", "application/vnd.agent-manifest+cose") }), /typ is not/);
  refused(issuer.cose(undefined, { header: Buffer.from("a10132", "hex") }), /typ is not/);
  const header = issuer.header().toString("hex");
  const changed = (from: string, to: string): Buffer => {
    assert.ok(header.includes(from));
    return Buffer.from(header.replace(from, to), "hex");
  };
  const json = Buffer.from("application/agent-manifest+json").toString("hex");
  const text = Buffer.from("application/agent-manifest+text").toString("hex");
  refused(issuer.cose(undefined, { header: changed(json, text) }), /content type is not/);
  const shorter = changed(`045820${issuer.keyId}`, `04581f${issuer.keyId.slice(2)}`);
  refused(issuer.cose(undefined, { header: shorter }), /kid has 32 bytes/);
  const whole = issuer.cose();
  const cut = Buffer.concat([whole.subarray(0, -66), Buffer.from("583f", "hex"), whole.subarray(-63)]);
  refused(cut, /signature has 64 bytes/);
  refused(issuer.cose(undefined, { header: Buffer.from("a2013202f5", "hex") }), /not known/);
  refused(issuer.cose(undefined, { header: Buffer.from("a1011812", "hex") }), /shortest/);
  refused(issuer.cose(undefined, { unprotected: Buffer.from("a10132", "hex") }), /protected header alone/);
  refused(issuer.cose(undefined, { unprotected: Buffer.from("a1028119018a", "hex") }), /protected header alone/);
  refused(issuer.cose(undefined, { unprotected: Buffer.from("bf0a00ff", "hex") }), /indefinite/);
});

test("a form takes the manifests of its own version only", () => {
  refused(issuer.json(manifestMembers({ version: "0.2" })), /of this form is of version 0\.1/);
  refused(issuer.cose(manifestMembers()), /of this form is of version 0\.2/);
  refused(issuer.json(manifestMembers({ version: "0.3" })), /version/);
  refused(issuer.json(manifestMembers({ min_verifier_version: "0.9" })), /min_verifier_version/);
});

test("what this version does not verify is refused, and so is what no version has", () => {
  refused(issuer.json(manifestMembers({ delegation_chain: [{}] })), /delegations are not verified/);
  refused(issuer.json(manifestMembers({ hitl_record: { required: true } })), /approvals of a manifest/);
  refused(issuer.json(manifestMembers({ profile: "evidence-requirements-experimental-v1" })), /profile/);
  refused(issuer.json(manifestMembers({ evidence_requirements: {} })), /evidence_requirements/);
  refused(issuer.cose(manifestMembers({ version: "0.2", signature: {} })), /signature/);
  refused(issuer.json(manifestMembers({ intent: { statement: "a", hash: "b" } })), /intent/);
  refused(issuer.json(manifestMembers({ agent_id: "https://bank.example/agents/desk" })), /agent_id/);
  refused(issuer.json(manifestMembers({ agent_id: "spiffe://bank.example" })), /agent_id/);
  refused(issuer.json(manifestMembers({ manifest_id: "018f4a3b-2c1d-4e5f-a8b9-0d1e2f3a4b5c" })), /manifest_id/);
  refused(issuer.json(manifestMembers({ expires_at: "2026-12-01" })), /expires_at/);
  refused(issuer.json(without("issuer")), /issuer/);
  const { artifacts } = manifestMembers() as { artifacts: JsonObject };
  const tools = { tool_manifest: { catalog_hash: `sha256:${"b".repeat(64)}`, tools: [] } };
  refused(issuer.json(manifestMembers({ artifacts: { ...artifacts, ...tools } })), /tool_manifest\.tools/);
  for (const name of ["system_prompt", "policy_bundle", "model_identity"])
    refused(
      issuer.json(manifestMembers({ artifacts: { ...artifacts, [name]: null } })),
      new RegExp(`artifacts\\.${name}`),
    );
  refused(issuer.json(manifestMembers({ profile: "composition-only" })), /profile/);
  refused(issuer.json(manifestMembers({ unbound_artifacts: ["rag_corpus"] })), /unbound_artifacts/);
  refused(Buffer.from("[]"), /not a JSON object/);
});

test("whatever the bytes are, there is a manifest or one kind of error", () => {
  const attempt = (bytes: Uint8Array): void => {
    try {
      read(bytes);
    } catch (thrown) {
      assert.ok(thrown instanceof CmcpError && thrown.code === "AGENT_MANIFEST_MALFORMED", String(thrown));
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), attempt));
  for (const whole of [issuer.json(), issuer.cose()]) {
    const change = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = new Uint8Array(whole);
        for (const [at, byte] of changes) bytes[at] = byte;
        attempt(bytes);
      }),
      { numRuns: 500 },
    );
  }
});

test("no change of a signed member leaves the signature valid", () => {
  const whole = issuer.cose();
  const thumbprint = (found: ReadManifest): string => createHash("sha256").update(found.identified).digest("hex");
  const own = thumbprint(read(whole));
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const bytes = new Uint8Array(whole);
      bytes[at] = (bytes[at] ?? 0) ^ change;
      let found: ReadManifest;
      try {
        found = read(bytes);
      } catch {
        return;
      }
      assert.ok(!isSigned(found) || thumbprint(found) === own);
    }),
    { numRuns: 1000 },
  );
});

function without(name: string): JsonObject {
  const { [name]: _, ...rest } = manifestMembers();
  return rest;
}

/** Arrays in arrays. @param depth of the manifest that has them as a member */
function nested(depth: number): JsonObject[string] {
  let value: JsonObject[string] = [];
  for (let left = depth - 1; left > 0; left -= 1) value = [value];
  return value;
}
