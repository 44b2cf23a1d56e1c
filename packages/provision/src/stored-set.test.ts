import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { test } from "node:test";
import { canonicalBytes, CmcpError, fromBase64Url, toBase64Url } from "@cmcp/boundary";
import * as fc from "fast-check";
import { buildProvision, type Provision } from "./message.ts";
import { openStoredSet, sealStoredSet, type StoredPlace, type StoredSet } from "./stored-set.ts";

const KEY = toBase64Url(new Uint8Array(32).fill(7));
const PLACE: StoredPlace = { origin: "log.example/0", version: 3 };
const SET: Provision = {
  v: 1,
  tokens: [{ principal: "alice", sha256: "ab".repeat(32) }],
  credentials: [{ name: "ledger", value: "a-secret-of-the-ledger" }],
};
const isRefused = (act: () => unknown, why: string, code = "STORED_SET_NOT_OPENED"): void =>
  assert.throws(act, (thrown) => thrown instanceof CmcpError && thrown.code === code, why);
const bytesOf = (text: string): Buffer => Buffer.from(fromBase64Url(text) ?? []);

test("a stored set opens under its key in its place, to what it was, and shows nothing of it", () => {
  const stored = sealStoredSet(KEY, PLACE, SET);
  assert.deepEqual(openStoredSet(KEY, PLACE, stored), SET);
  const bytes = bytesOf(stored.ciphertext).toString("latin1");
  for (const secret of ["alice", "ab".repeat(32), "ledger"]) assert.ok(!bytes.includes(secret), secret);
  assert.notEqual(sealStoredSet(KEY, PLACE, SET).nonce, stored.nonce, "each nonce is its own");
});

/** The page's words, without the package's code. */
function asThePage({ origin, version }: StoredPlace) {
  const key = hkdfSync("sha256", bytesOf(KEY), "", `cmcp-storage-v1|provision|${origin}`, 32);
  return {
    key: new Uint8Array(key),
    aad: Buffer.from(`{"origin":"${origin}","principal":"","server":"","version":${version}}`),
  };
}

test("is what the page says: another implementation opens it, and makes one that opens", () => {
  const { key, aad } = asThePage(PLACE);
  const stored = sealStoredSet(KEY, PLACE, SET);
  const sealed = bytesOf(stored.ciphertext);
  const decipher = createDecipheriv("aes-256-gcm", key, bytesOf(stored.nonce)).setAAD(aad);
  decipher.setAuthTag(sealed.subarray(-16));
  const opened = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
  assert.equal(opened.toString(), Buffer.from(canonicalBytes({ ...SET })).toString());
  assert.deepEqual(openStoredSet(KEY, PLACE, sealedAs(buildProvision(SET))), SET);
});

function sealedAs(plaintext: Uint8Array, nonce = Buffer.alloc(12, 1)): StoredSet {
  const { key, aad } = asThePage(PLACE);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(aad);
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return { nonce: toBase64Url(nonce), ciphertext: toBase64Url(sealed) };
}

test("opens under no other key, of no other log, as no other version, and not when it was changed or cut", () => {
  const stored = sealStoredSet(KEY, PLACE, SET);
  isRefused(() => openStoredSet(toBase64Url(new Uint8Array(32)), PLACE, stored), "another key");
  isRefused(() => openStoredSet(KEY, { ...PLACE, origin: "log.example/1" }, stored), "another log");
  for (const version of [2, 4]) isRefused(() => openStoredSet(KEY, { ...PLACE, version }, stored), "another version");
  for (const nonce of ["", toBase64Url(new Uint8Array(16)), "=".repeat(16), toBase64Url(new Uint8Array(12))])
    isRefused(() => openStoredSet(KEY, PLACE, { ...stored, nonce }), `the nonce ${nonce}`);
  for (const ciphertext of ["", "=", "A".repeat(21)])
    isRefused(() => openStoredSet(KEY, PLACE, { ...stored, ciphertext }), `the ciphertext ${ciphertext}`);
  const sealed = bytesOf(stored.ciphertext);
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = sealed.map((byte, index) => (index === at ? byte ^ change : byte));
      for (const bytes of [changed, sealed.subarray(0, at)])
        isRefused(() => openStoredSet(KEY, PLACE, { ...stored, ciphertext: toBase64Url(bytes) }), `at ${at}`);
    }),
  );
});

test("is of a set and under a key of 32 bytes, or nothing", () => {
  for (const key of ["", KEY.slice(1), `${KEY}A`, "=".repeat(43)]) {
    isRefused(() => sealStoredSet(key, PLACE, SET), key, "CONFIG_INVALID");
    isRefused(() => openStoredSet(key, PLACE, sealStoredSet(KEY, PLACE, SET)), key, "CONFIG_INVALID");
  }
  for (const other of [{ v: 1 }, { ...SET, storage_key: KEY }, { v: 1, storage_key: KEY }])
    isRefused(
      () => openStoredSet(KEY, PLACE, sealedAs(canonicalBytes(other))),
      JSON.stringify(other),
      "CONFIG_INVALID",
    );
});
