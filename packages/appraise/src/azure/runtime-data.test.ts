import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRuntimeData } from "./runtime-data.ts";

const KEY = { kid: "HCLAkPub", kty: "RSA", e: "AQAB", n: Buffer.alloc(256, 0xc1).toString("base64url") };
const OTHER = { ...KEY, kid: "HCLEkPub" };
const read = (value: unknown) => parseRuntimeData(Buffer.from(JSON.stringify(value)));
const refused = (value: unknown, message: RegExp): void =>
  assert.throws(() => read(value), { code: "EVIDENCE_MALFORMED", message });

test("the attestation key is an RSA key with the modulus and exponent that are named", () => {
  const { attestationKey, userData } = read({ keys: [OTHER, KEY], "user-data": "0A".repeat(3), more: 1 });
  assert.ok(attestationKey.kind === "rsa");
  assert.equal(attestationKey.modulusBytes, 256);
  const spki = Buffer.from(attestationKey.spki).toString("hex");
  assert.ok(spki.startsWith("30820122300d06092a864886f70d01010105000382010f003082010a0282010100c1c1"));
  assert.ok(spki.endsWith("c10203010001"));
  assert.equal(userData, "0A0A0A");
  assert.equal(read({ keys: [KEY] }).userData, "");
});

test("there is one key of that name among at most eight", () => {
  refused({ keys: [OTHER] }, /: no key HCLAkPub/);
  refused({ keys: [KEY, KEY] }, /: more than one key HCLAkPub/);
  refused({ keys: [] }, /keys/);
  const others = (count: number) => Array.from({ length: count }, () => OTHER);
  assert.equal(read({ keys: [...others(7), KEY] }).attestationKey.kind, "rsa");
  refused({ keys: [...others(8), KEY] }, /keys/);
});

test("each text is bounded, and the whole", () => {
  const digits = (bytes: number) => ({ keys: [KEY], "user-data": "00".repeat(bytes) });
  assert.equal(read(digits(128)).userData.length, 256);
  refused(digits(129), /user-data/);
  refused({ keys: [{ ...KEY, kid: "k".repeat(65) }, KEY] }, /kid/);
  assert.ok(read({ keys: [{ ...KEY, kid: "k".repeat(64) }, KEY] }));
  for (const name of ["n", "e"]) {
    refused({ keys: [{ ...KEY, [name]: "" }] }, new RegExp(name));
    refused({ keys: [{ ...KEY, [name]: "A".repeat(1025) }] }, new RegExp(name));
    refused({ keys: [{ ...KEY, [name]: "*" }] }, /runtime data/);
  }
  const padded = (length: number): Buffer => Buffer.from(JSON.stringify({ keys: [KEY] }).padEnd(length));
  assert.ok(parseRuntimeData(padded(16_384)));
  assert.throws(() => parseRuntimeData(padded(16_385)), { code: "EVIDENCE_MALFORMED" });
});
