import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { fromHex, toHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import {
  instanceBindingInput,
  joinReportData,
  REPORT_DATA_BYTES,
  sessionBindingInput,
  thumbprintInput,
  type InstanceBinding,
  type SigningJwk,
} from "../../../packages/appraise/src/evidence/binding.ts";
import { instanceReportData, jwkThumbprint, jwkThumbprintText, sessionReportData } from "./report-data.ts";

// RFC 8037 appendix A.2 and A.3.
const RFC_JWK: SigningJwk = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };
const RFC_THUMBPRINT_INPUT = '{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}';
const RFC_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
const RFC_THUMBPRINT_HEX = "90facafea9b1556698540f70c0117a22ea37bd5cf3ed3c47093c1707282b4b89";

const HASH = `sha256:${"a".repeat(64)}`;
const BINDING: InstanceBinding = {
  purpose: "instance-attestation",
  nonce: "abcdefghijklmnop",
  keys: { signing: RFC_JWK.x },
  policy_hash: HASH,
  catalog_hash: HASH,
  enforcement_mode: "enforcing",
  launch_digest: HASH,
};

test("the thumbprint is that of RFC 8037 A.3, whatever other members the key has", () => {
  assert.equal(Buffer.from(thumbprintInput(RFC_JWK)).toString(), RFC_THUMBPRINT_INPUT);
  assert.equal(jwkThumbprintText(RFC_JWK), RFC_THUMBPRINT);
  assert.equal(toHex(jwkThumbprint(RFC_JWK)), RFC_THUMBPRINT_HEX);
  const named = { ...RFC_JWK, kid: "cmcp-d75a9801", use: "sig" };
  assert.equal(jwkThumbprintText(named), RFC_THUMBPRINT);
});

test("a session's report data is the thumbprint, then the hash of the chain root's 32 raw bytes", () => {
  // SHA-256 of 32 zero bytes, as sha256sum gives it.
  const expected = `${RFC_THUMBPRINT_HEX}66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925`;
  assert.equal(toHex(sessionReportData(jwkThumbprint(RFC_JWK), "0".repeat(64))), expected);
});

test("an instance's report data is the thumbprint, then the hash of what it answers for", () => {
  const text = `{"catalog_hash":"${HASH}","enforcement_mode":"enforcing","keys":{"signing":"${RFC_JWK.x}"},"launch_digest":"${HASH}","nonce":"abcdefghijklmnop","policy_hash":"${HASH}","purpose":"instance-attestation"}`;
  assert.equal(Buffer.from(instanceBindingInput(BINDING)).toString(), text);
  assert.equal(
    toHex(instanceReportData(jwkThumbprint(RFC_JWK), BINDING)),
    RFC_THUMBPRINT_HEX + createHash("sha256").update(text).digest("hex"),
  );
  for (const field of Object.keys(BINDING)) {
    const changed: InstanceBinding = { ...BINDING, [field]: field === "keys" ? { signing: "x" } : "changed" };
    assert.notDeepEqual(
      instanceReportData(jwkThumbprint(RFC_JWK), changed),
      instanceReportData(jwkThumbprint(RFC_JWK), BINDING),
      field,
    );
  }
});

test("a nonce of no or too many characters is refused", () => {
  for (const nonce of ["", "x".repeat(129)])
    assert.throws(() => instanceBindingInput({ ...BINDING, nonce }), { code: "INTERNAL" });
  for (const nonce of ["x", "x".repeat(128)]) assert.ok(instanceBindingInput({ ...BINDING, nonce }).length > 0);
});

test("a chain root is 64 hex digits and nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      assert.deepEqual(sessionBindingInput(toHex(bytes)), Uint8Array.from(bytes));
    }),
  );
  for (const root of ["", "0".repeat(62), "0".repeat(66), "g".repeat(64), `sha256:${"0".repeat(57)}`]) {
    assert.throws(() => sessionBindingInput(root), { code: "INTERNAL" }, root);
  }
});

test("report data is made of two halves of 32 bytes and of no others", () => {
  const half = fromHex("0f".repeat(32)) ?? new Uint8Array();
  const other = new Uint8Array(32).fill(0xf0);
  assert.equal(toHex(joinReportData(half, other)), `${"0f".repeat(32)}${"f0".repeat(32)}`);
  assert.equal(joinReportData(half, other).length, REPORT_DATA_BYTES);
  for (const length of [0, 31, 33, 64]) {
    assert.throws(() => joinReportData(new Uint8Array(length), half), { code: "INTERNAL" });
    assert.throws(() => joinReportData(half, new Uint8Array(length)), { code: "INTERNAL" });
  }
});
