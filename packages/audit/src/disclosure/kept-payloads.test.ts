/** What is kept of a call, held to what another implementation makes of it. */
import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes, randomUUID } from "node:crypto";
import { test } from "node:test";
import { canonicalText } from "@cmcp/boundary";
import { disclose, keptPayloadsSchema, openPayloads, sealPayloads, type KeptPlace } from "./kept-payloads.ts";

const KEY = createSecretKey(randomBytes(32));
const PLACE: KeptPlace = { session_id: randomUUID(), call_id: randomUUID(), number: 258 };
const TAG_BYTES = 16;

/** Key, nonce and additional data: the nonce is the number as 12 bytes, big-endian. */
function aes({ session_id, call_id, number }: KeptPlace) {
  const key = new Uint8Array(hkdfSync("sha256", KEY, "", "cmcp-disclosure-v1|content", 32));
  const nonce = Buffer.from(number.toString(16).padStart(24, "0"), "hex");
  return { key, nonce, aad: Buffer.from(`cmcp-disclosure-v1|${session_id}|${call_id}|${number}`) };
}

function encrypted(plaintext: string): string {
  const { key, nonce, aad } = aes(PLACE);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(aad);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]).toString("base64url");
}

const kept = (plaintext: string) => ({ v: "cmcp-disclosure-v1", ...PLACE, sealed: encrypted(plaintext) }) as const;

test("what is kept is AES-256-GCM under a key from the session's, with the call's number as the nonce", () => {
  const texts = { request: "{}", cedar: '"x"' };
  const { sealed, ...place } = sealPayloads(KEY, PLACE, texts);
  assert.deepEqual(place, { v: "cmcp-disclosure-v1", ...PLACE });
  const { key, nonce, aad } = aes(PLACE);
  const bytes = Buffer.from(sealed, "base64url");
  const decipher = createDecipheriv("aes-256-gcm", key, nonce).setAAD(aad);
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const plaintext = Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]);
  assert.equal(plaintext.toString(), canonicalText(texts));
  assert.deepEqual(openPayloads(KEY, kept(canonicalText(texts))), texts);
});

test("what is encrypted under the key and is no texts is not opened", () => {
  for (const plaintext of ["", "{", "[]", "null", '{"other":"x"}', '{"request":1}', '{"request":["x"]}'])
    assert.equal(openPayloads(KEY, kept(plaintext)), null, plaintext);
  assert.equal(openPayloads(KEY, { ...kept("{}"), sealed: "!" }), null);
  assert.equal(openPayloads(KEY, { ...kept("{}"), sealed: "" }), null);
});

test("a record is read up to its bounds", () => {
  const accepted = (change: object): boolean => keptPayloadsSchema.safeParse({ ...kept("{}"), ...change }).success;
  for (const [within, beyond] of [
    [{ call_id: "c" }, { call_id: "" }],
    [{ call_id: "c".repeat(256) }, { call_id: "c".repeat(257) }],
    [{ number: 1 }, { number: 0 }],
    [{ sealed: "A".repeat(15 * 1024 * 1024) }, { sealed: "A".repeat(15 * 1024 * 1024 + 1) }],
  ] as const)
    assert.deepEqual([accepted(within), accepted(beyond)], [true, false], JSON.stringify(beyond).slice(0, 60));
});

test("texts that have no room in a record are refused, and the longest that have are kept", () => {
  // Four characters of base64url are three bytes, of which 16 are the tag and 14 the name and its marks.
  const longest = (15 * 1024 * 1024 * 3) / 4 - TAG_BYTES - '{"request":""}'.length;
  assert.equal(sealPayloads(KEY, PLACE, { request: "x".repeat(longest) }).sealed.length, 15 * 1024 * 1024);
  assert.throws(() => sealPayloads(KEY, PLACE, { request: "x".repeat(longest + 1) }), { code: "INTERNAL" });
});

test("a disclosed call stands where its entry does, and has the texts that are there", () => {
  const { fields, ...place } = disclose(KEY, PLACE, 7, { response: "{}" });
  assert.deepEqual(place, {
    v: "cmcp-disclosure-v1",
    session_id: PLACE.session_id,
    call_id: PLACE.call_id,
    sequence_number: 7,
  });
  assert.deepEqual(Object.keys(fields), ["response"]);
});
