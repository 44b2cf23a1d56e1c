import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePublicArea } from "./public-area.ts";
import { sized, u16, u32 } from "./testing/sample-quote.ts";

const [RSA, ECC, NULL] = [0x0001, 0x0023, 0x0010];

interface Area {
  readonly type?: number;
  readonly attributes?: number;
  readonly policy?: Uint8Array;
  readonly symmetric?: Uint8Array;
  readonly scheme?: Uint8Array;
  readonly parameters: Uint8Array;
}

/** TPMT_PUBLIC in its order (TPM 2.0 Library part 2, section 12.2.4). */
function publicArea({
  type = RSA,
  attributes = 0,
  policy = Buffer.alloc(0),
  symmetric = u16(NULL),
  scheme = u16(NULL),
  parameters,
}: Area): Buffer {
  return Buffer.concat([u16(type), u16(0x000b), u32(attributes), sized(policy), symmetric, scheme, parameters]);
}
const rsa = (bytes: number, exponent = 0, bits = 8 * bytes): Buffer =>
  Buffer.concat([u16(bits), u32(exponent), sized(Buffer.alloc(bytes, 0xc1))]);
const point = (curve: number, bytes: number, kdf: Uint8Array = u16(NULL)): Buffer =>
  Buffer.concat([u16(curve), kdf, sized(Buffer.alloc(bytes, 1)), sized(Buffer.alloc(bytes, 2))]);
const ecc = (parameters: Uint8Array): Buffer => publicArea({ type: ECC, parameters });
const spki = (area: Uint8Array): string => Buffer.from(parsePublicArea(area).spki).toString("hex");
const refused = (area: Uint8Array, message: RegExp): void =>
  assert.throws(() => parsePublicArea(area), { code: "EVIDENCE_MALFORMED", message });

test("each attribute is its own bit", () => {
  const names = ["fixedTpm", "fixedParent", "sensitiveDataOrigin", "restricted", "decrypt", "sign"] as const;
  const of = (attributes: number): string[] => {
    const found = parsePublicArea(publicArea({ attributes, parameters: rsa(256) })).attributes;
    return names.filter((name) => found[name]);
  };
  for (const [index, bit] of [1, 4, 5, 16, 17, 18].entries()) assert.deepEqual(of((1 << bit) >>> 0), [names[index]]);
  assert.deepEqual(of(~0x0007_0032 >>> 0), []);
});

test("a scheme has its hash, and ECDAA a count too; a key without a fixed one has none", () => {
  const schemeOf = (...scheme: readonly Uint8Array[]) =>
    parsePublicArea(publicArea({ scheme: Buffer.concat(scheme), parameters: rsa(256) })).scheme;
  for (const id of [0x0014, 0x0016, 0x0017, 0x0018, 0x001b, 0x001c])
    assert.deepEqual(schemeOf(u16(id), u16(0x000c)), { id, hashId: 0x000c });
  assert.deepEqual(schemeOf(u16(0x001a), u16(0x000b), u16(7)), { id: 0x001a, hashId: 0x000b });
  for (const id of [NULL, 0x0015]) assert.equal(schemeOf(u16(id)), null);
  for (const id of [0x0011, 0x0013, 0x0019, 0x001d])
    refused(publicArea({ scheme: u16(id), parameters: rsa(256) }), /unknown scheme/);
});

test("key bits and mode of a symmetric cipher, and the hash of a key derivation, are passed over", () => {
  const symmetric = Buffer.concat([u16(0x0006), u16(128), u16(0x0043)]);
  assert.equal(spki(publicArea({ symmetric, parameters: rsa(256) })), spki(publicArea({ parameters: rsa(256) })));
  const kdf = Buffer.concat([u16(0x0020), u16(0x000b)]);
  assert.equal(spki(ecc(point(3, 32, kdf))), spki(ecc(point(3, 32))));
});

test("an RSA key has its modulus, and 65537 for an exponent of zero", () => {
  const header = "300d06092a864886f70d0101010500";
  assert.equal(
    spki(publicArea({ parameters: rsa(256) })),
    `30820122${header}0382010f003082010a0282010100${"c1".repeat(256)}0203010001`,
  );
  assert.ok(spki(publicArea({ parameters: rsa(256, 3) })).endsWith("020103"));
  assert.ok(spki(publicArea({ parameters: rsa(256, 0x8000_0001) })).endsWith("02050080000001"));
  assert.ok(spki(publicArea({ parameters: rsa(256, 0x0001_0203) })).endsWith("0203010203"));
  assert.equal(spki(publicArea({ parameters: rsa(16) })), `302c${header}031b003018021100${"c1".repeat(16)}0203010001`);
  assert.equal(
    spki(publicArea({ parameters: rsa(128) })),
    `30819f${header}03818d0030818902818100${"c1".repeat(128)}0203010001`,
  );
  refused(publicArea({ parameters: rsa(256, 0, 2047) }), /not as long as the key says/);
  assert.ok(spki(publicArea({ parameters: rsa(512) })).length > 0);
  refused(publicArea({ parameters: rsa(513) }), /a field of 513 bytes/);
});

test("a point is on P-256 or P-384, its coordinates filled up to the curve's width", () => {
  assert.equal(
    spki(ecc(point(3, 32))),
    `3059301306072a8648ce3d020106082a8648ce3d03010703420004${"01".repeat(32)}${"02".repeat(32)}`,
  );
  assert.equal(
    spki(ecc(point(4, 48))),
    `3076301006072a8648ce3d020106052b8104002203620004${"01".repeat(48)}${"02".repeat(48)}`,
  );
  assert.ok(spki(ecc(point(3, 31))).endsWith(`000400${"01".repeat(31)}00${"02".repeat(31)}`));
  refused(ecc(point(3, 33)), /a field of 33 bytes/);
  for (const curve of [2, 5]) refused(ecc(point(curve, 32)), /neither P-256 nor P-384/);
});

test("a policy has at most 64 bytes, a key one of two types, and nothing follows", () => {
  const policy = (length: number): Buffer => publicArea({ policy: Buffer.alloc(length), parameters: rsa(256) });
  assert.ok(spki(policy(64)).length > 0);
  refused(policy(65), /a field of 65 bytes/);
  for (const type of [0, 2, 0x0008, 0x0022, 0x0024])
    refused(publicArea({ type, parameters: rsa(256) }), /neither an RSA nor an ECC key/);
  refused(Buffer.concat([publicArea({ parameters: rsa(256) }), Buffer.of(0)]), /bytes too many/);
});
