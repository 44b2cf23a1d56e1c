import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { fromHex, toBase64Url } from "@cmcp/boundary";
import { readAuthenticatorData } from "./authenticator-data.ts";
import { readClientData } from "./client-data.ts";
import { rawSignature } from "./ecdsa-signature.ts";
import { verifyAssertion, verifySignature } from "./verify-assertion.ts";

interface Vector {
  readonly name: string;
  readonly algorithm: string;
  readonly spki: string;
  readonly challenge: string;
  readonly authenticator_data: string;
  readonly client_data_json: string;
  readonly signature: string;
}
const file = new URL("../../vectors/webauthn.json", import.meta.url);
const { vectors, origin, rp_id } = JSON.parse(await readFile(file, "utf8")) as {
  readonly vectors: readonly Vector[];
  readonly origin: string;
  readonly rp_id: string;
};
const bytesOf = (hex: string): Uint8Array => fromHex(hex) ?? assert.fail("not hex");
const base64Of = (hex: string): string => toBase64Url(bytesOf(hex));

/** What each of the specification's assertions is here: `null` is accepted. */
const EXPECTED: Readonly<Record<string, string | null>> = {
  "none-es256": "user-verified",
  "packed-self-es256": "user-verified",
  "none-es256-crossOrigin": "origin",
  "none-es256-topOrigin": "origin",
  "packed-es256": null,
  "packed-es384": "algorithm",
  "packed-eddsa": "user-verified",
  "tpm-es256": null,
  "android-key-es256": "user-verified",
  "apple-es256": "user-verified",
  "fido-u2f-es256": "user-verified",
};

void describe("the test vectors of WebAuthn Level 3", () => {
  void it("are all expected", () => {
    assert.deepEqual(vectors.map(({ name }) => name).toSorted(), Object.keys(EXPECTED).toSorted());
  });

  for (const vector of vectors) {
    const passkey = { public_key: base64Of(vector.spki), rp_id, origins: [origin] };
    const assertion = {
      authenticator_data: base64Of(vector.authenticator_data),
      client_data_json: base64Of(vector.client_data_json),
      signature: base64Of(vector.signature),
    };
    const check = EXPECTED[vector.name] ?? null;
    void it(`${vector.name}: ${check ?? "accepted"}`, async () => {
      const verifying = verifyAssertion(webcrypto, passkey, { assertion, challenge: base64Of(vector.challenge) });
      if (check === null) return await verifying;
      await assert.rejects(verifying, { code: "APPROVAL_ANSWER_INVALID", detail: { check } });
    });
    if (vector.algorithm === "ES384") continue;
    void it(`${vector.name}: the signature verifies, and over nothing else`, async () => {
      const hash = createHash("sha256").update(bytesOf(vector.client_data_json)).digest();
      const message = new Uint8Array([...bytesOf(vector.authenticator_data), ...hash]);
      const { signature } = assertion;
      await verifySignature(webcrypto, passkey.public_key, { signature, message });
      message[36] = (message[36] ?? 0) ^ 1;
      await assert.rejects(verifySignature(webcrypto, passkey.public_key, { signature, message }), {
        detail: { check: "signature" },
      });
    });
  }
});

void describe("what a browser and an authenticator give", () => {
  const sound = bytesOf(vectors[0]?.signature ?? "");

  void it("is a DER signature in its shortest form, and no other", () => {
    assert.equal(rawSignature(sound)?.length, 64);
    for (const hex of [
      "",
      "30",
      "3006020180020101",
      "300702020001020101",
      "3006020100020101",
      "3106020101020101",
      "300602010102010100",
      "3006020101040101",
      "3026022100ff",
      `3027022200${"ff".repeat(33)}020101`,
    ])
      assert.equal(rawSignature(bytesOf(hex)), null, hex);
    assert.deepEqual(
      [...(rawSignature(bytesOf("3006020101020102")) ?? [])].filter((byte) => byte > 0),
      [1, 2],
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 90 }), (bytes) =>
        [null, 64].includes(rawSignature(bytes)?.length ?? null),
      ),
    );
  });

  void it("is authenticator data of exactly what its flags say", () => {
    const data = bytesOf(vectors[0]?.authenticator_data ?? "");
    assert.notEqual(readAuthenticatorData(data), null);
    assert.equal(readAuthenticatorData(data.slice(0, 36)), null);
    assert.equal(readAuthenticatorData(new Uint8Array([...data, 0])), null);
    const extended = new Uint8Array([...data, 0xa0]);
    extended[32] = 0x85;
    assert.equal(readAuthenticatorData(extended)?.userVerified, true);
    assert.equal(readAuthenticatorData(new Uint8Array([...extended, ...new Uint8Array(300)])), null);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const read = readAuthenticatorData(bytes);
        assert.ok(read === null || read.rpIdHash.length === 32);
      }),
    );
  });

  void it("is client data of at most 1 KiB, without duplicates", () => {
    const client = { type: "webauthn.get", challenge: "AA", origin };
    const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
    assert.deepEqual(readClientData(encode(JSON.stringify(client))), { ...client, crossOrigin: false });
    for (const text of [
      "[]",
      "7",
      "{",
      JSON.stringify({ ...client, type: 1 }),
      JSON.stringify({ ...client, crossOrigin: "no" }),
      JSON.stringify({ ...client, extra: "x".repeat(1_024) }),
      `{"type":"webauthn.get","type":"webauthn.get","challenge":"AA","origin":"${origin}"}`,
    ])
      assert.equal(readClientData(encode(text)), null, text);
    assert.equal(readClientData(new Uint8Array([0xff, 0xfe])), null);
  });
});
