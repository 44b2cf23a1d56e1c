import assert from "node:assert/strict";
import { generateKeyPairSync, hash, randomBytes, sign, verify } from "node:crypto";
import { test } from "node:test";
import { untrusted } from "@cmcp/boundary";
import { parseKeyConfigs, SUITES } from "@cmcp/seal";
import { SealKeys, type SealKeyList } from "./seal-keys.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const keysFor = (requestsOfKey?: number): SealKeys =>
  new SealKeys({
    sign: (bytes) => sign(null, bytes, privateKey),
    ...(requestsOfKey === undefined ? {} : { requestsOfKey }),
  });
const configsOf = ({ key_configs }: SealKeyList) => parseKeyConfigs(untrusted(Buffer.from(key_configs, "base64url")));
const enc = (): Uint8Array => randomBytes(32);

test("there is a key of each suite, and the list of them is signed under its purpose", () => {
  const keys = keysFor();
  const { list } = keys;
  const configs = configsOf(list);
  assert.deepEqual(new Set(configs.map(({ kem }) => kem)), new Set(SUITES.map(({ kem }) => kem)));
  const bytes = Buffer.from(list.key_configs, "base64url");
  const signature = Buffer.from(list.signature, "base64url");
  assert.ok(verify(null, Buffer.concat([Buffer.from("cmcp-seal-keys-v1|"), bytes]), publicKey, signature));
  assert.ok(!verify(null, bytes, publicKey, signature));
  assert.equal(keys.name, hash("sha256", bytes, "base64url"));
});

test("a request is taken once, and each key has a memory of its own", () => {
  const keys = keysFor();
  const [one, two] = configsOf(keys.list).map(({ id }) => id);
  assert.ok(one !== undefined && two !== undefined);
  const request = enc();
  keys.take(one, request);
  for (let again = 0; again < 10; again += 1) assert.throws(() => keys.take(one, request), { code: "SEAL_REPLAYED" });
  keys.take(two, request);
  assert.throws(() => keys.take(200, enc()), { code: "SEAL_NOT_OPENED" });
});

test("a key that has opened its number makes room for another, which the signed list then has", () => {
  const keys = keysFor(3);
  const suite = SUITES[0] ?? assert.fail();
  const present = (): number => configsOf(keys.list).find(({ kem }) => kem === suite.kem)?.id ?? assert.fail();
  const ids: number[] = [];
  const names = new Set([keys.name]);
  for (let generation = 0; generation < 4; generation += 1) {
    const id = present();
    ids.push(id);
    const requests = [enc(), enc(), enc()];
    for (const request of requests) {
      assert.notEqual(keys.keyOf(id), null);
      keys.take(id, request);
    }
    assert.notEqual(present(), id);
    names.add(keys.name);
    for (const late of [enc(), enc(), enc()]) {
      assert.notEqual(keys.keyOf(id), null, "agents that know no other key yet are served");
      keys.take(id, late);
    }
    assert.equal(keys.keyOf(id), null, "it opens no more");
    assert.throws(
      () => keys.take(id, requests[0] ?? enc()),
      { code: "SEAL_REPLAYED" },
      "and still knows what it opened",
    );
  }
  assert.equal(new Set([...ids, present()]).size, 5, "no id is used for two keys");
  assert.equal(names.size, 5, "each list has another name");
  assert.throws(
    () => keys.take(ids[0] ?? 0, enc()),
    { code: "SEAL_NOT_OPENED" },
    "the one before the last two is forgotten",
  );
});

test("where all ids are used, the last keys stay and open nothing more", () => {
  const keys = keysFor(1);
  for (let step = 0; step < 1_200; step += 1)
    for (const { id } of configsOf(keys.list)) if (keys.keyOf(id) !== null) keys.take(id, enc());
  for (const { id } of configsOf(keys.list)) assert.equal(keys.keyOf(id), null);
});
