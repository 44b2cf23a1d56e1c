import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex, untrusted } from "@cmcp/boundary";
import * as fc from "fast-check";
import { concatBytes, EMPTY, latin1, uint16 } from "../bytes.ts";
import { setupRecipient } from "../hpke/context.ts";
import { SUITES, X25519_SUITE, X_WING_SUITE } from "../hpke/suite.ts";
import { X_WING } from "../hpke/x-wing.ts";
import { X25519 } from "../hpke/x25519.ts";
import { AES_128_SUITE, hex, vectors } from "../testing/vectors.ts";
import {
  chooseKey,
  encodeKeyConfigs,
  keyConfigOf,
  MAX_KEY_CONFIGS,
  MAX_KEY_CONFIGS_BYTES,
  parseKeyConfigs,
  type KeyConfig,
} from "./key-config.ts";

const published = vectors("key-configuration") as Readonly<Record<string, string>>;
const value = (name: string): Uint8Array => hex(published[name] ?? "");
const listed = (...configs: readonly Uint8Array[]): Uint8Array =>
  concatBytes(...configs.flatMap((config) => [uint16(config.length), config]));
const parse = (bytes: Uint8Array): readonly KeyConfig[] => parseKeyConfigs(untrusted(bytes));
const refused = { code: "SEAL_KEYS_INVALID" };

const OURS = SUITES.map((suite, id) =>
  keyConfigOf({ id, suite, publicKey: suite.kem.keyOf(new Uint8Array(32).fill(id + 1)).publicKey }),
);

test("RFC 9458's configuration is read and written, and its request opens with its key", () => {
  const [config, ...more] = parse(listed(value("key_configuration")));
  assert.ok(config !== undefined && more.length === 0);
  assert.deepEqual(
    [config.id, config.kem, config.algorithms],
    [
      1,
      X25519,
      [
        { kdfId: 1, aeadId: 1 },
        { kdfId: 1, aeadId: 3 },
      ],
    ],
  );
  assert.equal(toHex(encodeKeyConfigs([config])), toHex(listed(value("key_configuration"))));
  const key = X25519.keyOf(value("private_key"));
  assert.deepEqual(key.publicKey, config.publicKey);
  const context = setupRecipient({ suite: AES_128_SUITE, key }, value("enc"), value("info")) ?? assert.fail();
  assert.deepEqual(context.open(value("encrypted_request"), EMPTY), value("request"));
  assert.equal(toHex(context.export(latin1("message/bhttp response"), 16)), published["exported_secret"]);
});

test("our configurations are read as they were written", () => {
  assert.deepEqual(parse(encodeKeyConfigs(OURS)), OURS);
  assert.deepEqual(OURS[0]?.algorithms, [{ kdfId: 1, aeadId: 2 }]);
});

test("X-Wing is chosen wherever it is offered and available, whatever the order, and X25519 otherwise", () => {
  const [wing, curve] = OURS;
  assert.ok(wing !== undefined && curve !== undefined);
  for (const configs of [OURS, OURS.toReversed(), [wing]])
    assert.deepEqual(chooseKey(configs), { id: 0, suite: X_WING_SUITE, publicKey: wing.publicKey });
  const other = { ...wing, algorithms: [{ kdfId: 1, aeadId: 3 }] };
  const kdf = { ...wing, algorithms: [{ kdfId: 0x11, aeadId: 2 }] };
  for (const configs of [[curve], [other, curve], [kdf, curve]])
    assert.deepEqual(chooseKey(configs), { id: 1, suite: X25519_SUITE, publicKey: curve.publicKey });
  assert.equal(chooseKey(OURS, (kem) => kem !== X_WING).suite, X25519_SUITE);
  for (const configs of [[], [other, kdf], parse(listed(value("key_configuration")))])
    assert.throws(() => chooseKey(configs), { code: "SEAL_SUITE_UNSUPPORTED" });
  assert.throws(() => chooseKey([wing], (kem) => kem !== X_WING), { code: "SEAL_SUITE_UNSUPPORTED" });
});

test("a second pair of algorithms can be the one that is used", () => {
  const config = { ...OURS[0], algorithms: [{ kdfId: 1, aeadId: 3 }, ...(OURS[0]?.algorithms ?? [])] } as KeyConfig;
  assert.equal(chooseKey(parse(encodeKeyConfigs([config]))).suite, X_WING_SUITE);
});

test("a configuration of an unknown mechanism is passed over", () => {
  const unknown = concatBytes(Uint8Array.of(9), uint16(0x50), latin1("whatever"));
  assert.deepEqual(parse(concatBytes(listed(unknown), encodeKeyConfigs(OURS))), OURS);
  assert.deepEqual(parse(listed(unknown)), []);
});

test("a list that breaks a rule anywhere is refused as a whole", () => {
  const good = encodeKeyConfigs(OURS);
  const one = value("key_configuration");
  const withLength = (length: number, ...rest: readonly number[]): Uint8Array =>
    concatBytes(one.subarray(0, 35), uint16(length), Uint8Array.from(rest));
  for (const [why, bytes] of Object.entries({
    nothing: EMPTY,
    "an empty configuration": listed(EMPTY),
    "no mechanism": listed(Uint8Array.of(1, 0)),
    "a byte after it": listed(concatBytes(one, Uint8Array.of(0))),
    "a byte too few": listed(one.subarray(0, -1)),
    "no algorithms": listed(withLength(0)),
    "half a pair": listed(withLength(2, 0, 1)),
    "a pair and a half": listed(withLength(6, 0, 1, 0, 1, 0, 1)),
    "one id twice": concatBytes(listed(one), listed(one)),
    "a length alone": concatBytes(good, Uint8Array.of(0)),
    "too many": listed(...Array.from({ length: MAX_KEY_CONFIGS + 1 }, (_, id) => one.with(0, id))),
  }))
    assert.throws(() => parse(bytes), refused, why);
  assert.equal(parse(listed(...Array.from({ length: MAX_KEY_CONFIGS }, (_, id) => one.with(0, id)))).length, 8);
});

test("a list has at most so many bytes, which it may reach", () => {
  const filler = (length: number): Uint8Array =>
    listed(concatBytes(Uint8Array.of(9), uint16(0x50), new Uint8Array(length - 5)));
  assert.deepEqual(parse(filler(MAX_KEY_CONFIGS_BYTES)), []);
  assert.throws(() => parse(filler(MAX_KEY_CONFIGS_BYTES + 1)), refused);
});

test("property: any bytes are a list or refused by the code", () => {
  const attempt = (bytes: Uint8Array): void => {
    try {
      parse(bytes);
    } catch (thrown) {
      assert.equal((thrown as { readonly code?: string }).code, "SEAL_KEYS_INVALID");
    }
  };
  const good = encodeKeyConfigs(OURS);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), attempt));
  fc.assert(fc.property(fc.nat({ max: good.length }), (length) => attempt(good.subarray(0, length))));
  fc.assert(fc.property(fc.nat({ max: 9 }), fc.nat({ max: 255 }), (at, byte) => attempt(good.with(at, byte))));
});

test("what no reader would take is not written", () => {
  const [wing] = OURS;
  assert.ok(wing !== undefined);
  const many = (length: number): KeyConfig[] => Array.from({ length }, (_, id) => ({ ...wing, id }));
  assert.equal(parse(encodeKeyConfigs(many(MAX_KEY_CONFIGS))).length, MAX_KEY_CONFIGS);
  assert.equal(parse(encodeKeyConfigs([{ ...wing, id: 255 }]))[0]?.id, 255);
  for (const configs of [
    [],
    [wing, wing],
    [{ ...wing, id: 256 }],
    [{ ...wing, id: -1 }],
    [{ ...wing, id: 0.5 }],
    many(MAX_KEY_CONFIGS + 1),
  ])
    assert.throws(() => encodeKeyConfigs(configs), { code: "USAGE" });
});
