import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import * as fc from "fast-check";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import { parseAttestationKey } from "./public-key.ts";
import { ATTESTATION_KEY_ATTRIBUTES, sampleKey, samplePublicArea, sized } from "./testing/sample-quote.ts";
import { tpmFile } from "./testing/genuine.ts";
import { readTpmEvidence } from "./read-evidence.ts";

const pem = (spki: Uint8Array): Buffer =>
  Buffer.from(`-----BEGIN PUBLIC KEY-----\n${Buffer.from(spki).toString("base64")}\n-----END PUBLIC KEY-----\n`);

test("the public area of a genuine key is the key its certificate certifies", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const { attestationKey = new Uint8Array(), certificates } = readTpmEvidence(
    tpmFile("gce-go-tpm-tools/gce-cos-85-nonce9009.pb"),
  );
  const { key, area } = parseAttestationKey(attestationKey);
  const certified = new X509Certificate(certificates[0] ?? new Uint8Array()).publicKey.export({
    type: "spki",
    format: "der",
  });
  assert.deepEqual(Buffer.from(key.spki), certified);
  assert.deepEqual(area?.attributes, {
    fixedTpm: true,
    fixedParent: true,
    sensitiveDataOrigin: true,
    restricted: true,
    decrypt: false,
    sign: true,
  });
  assert.deepEqual(area.scheme, { id: 0x0014, hashId: 0x000b });
});

test("every form of a key gives the same key", () => {
  for (const key of [sampleKey("rsassa"), sampleKey("ecdsa"), sampleKey("ecdsa", "sha384", "P-384")]) {
    const area = samplePublicArea(key, ATTESTATION_KEY_ATTRIBUTES);
    for (const form of [area, sized(area), key.spki, pem(key.spki)])
      assert.deepEqual(Buffer.from(parseAttestationKey(form).key.spki), Buffer.from(key.spki));
    assert.equal(parseAttestationKey(key.spki).area, null);
  }
});

test("a key that is too short, or of another kind, is refused", () => {
  const short = sampleKey("rsassa", "sha256", "P-256", 1024);
  for (const form of [short.spki, samplePublicArea(short, ATTESTATION_KEY_ATTRIBUTES)])
    assert.throws(() => parseAttestationKey(form), { code: "EVIDENCE_POLICY_VIOLATION", message: /1024 bits/ });
  const area = samplePublicArea(sampleKey("ecdsa"), ATTESTATION_KEY_ATTRIBUTES);
  const changed = (at: number, byte: number): Uint8Array => {
    const copy = Uint8Array.from(area);
    copy[at] = byte;
    return copy;
  };
  const refused = (bytes: Uint8Array, message: RegExp): void =>
    assert.throws(() => parseAttestationKey(bytes), { code: "EVIDENCE_MALFORMED", message });
  refused(changed(1, 0x08), /neither an RSA nor an ECC key/);
  refused(changed(13, 0x99), /unknown scheme/);
  refused(changed(17, 0x05), /neither P-256 nor P-384/);
  refused(Buffer.concat([area, Buffer.of(0)]), /too many/);
  refused(new Uint8Array(4097), /more than 4096/);
  refused(Buffer.from("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"), /base64/);
  const rsa = samplePublicArea(sampleKey("rsassa"), ATTESTATION_KEY_ATTRIBUTES);
  rsa[17] = 0x01;
  refused(rsa, /not as long as the key says/);
});

test("random bytes are no key, and say so", () => {
  const area = samplePublicArea(sampleKey("ecdsa"), ATTESTATION_KEY_ATTRIBUTES);
  const settled = (bytes: Uint8Array): void => {
    try {
      assert.ok(parseAttestationKey(bytes).key.spki.length > 0);
    } catch (thrown) {
      assert.ok(
        thrown instanceof CmcpError &&
          (thrown.code === "EVIDENCE_MALFORMED" || thrown.code === "EVIDENCE_POLICY_VIOLATION"),
        String(thrown),
      );
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), settled));
  fc.assert(
    fc.property(fc.nat(area.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const changed = Uint8Array.from(area);
      changed[at] = byte;
      settled(changed);
    }),
  );
});
