import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import { latin1 } from "../bytes.ts";
import { randomBytes } from "../platform.ts";
import { AES_128_SUITE, hex, vectors } from "../testing/vectors.ts";
import { setupRecipient, setupSender } from "./context.ts";
import { MAX_EXPANDED_BYTES } from "./hkdf.ts";
import { SUITES, X25519_SUITE, X_WING_SUITE, type Suite } from "./suite.ts";

interface HpkeCase {
  readonly kem_id: number;
  readonly aead_id: number;
  readonly info: string;
  readonly skEm?: string;
  readonly pkRm: string;
  readonly skRm: string;
  readonly enc: string;
  readonly encryptions?: readonly {
    readonly sequence: number;
    readonly pt: string;
    readonly aad: string;
    readonly ct: string;
  }[];
  readonly exports: readonly { readonly context: string; readonly length: number; readonly value: string }[];
}
const casesOf = (name: string): readonly HpkeCase[] => (vectors(name) as { readonly cases: readonly HpkeCase[] }).cases;

/** Of 3 (ChaCha20-Poly1305) and 65535 (exports only) the schedule is the same, and there is no cipher. */
const suiteOf = ({ kem_id, aead_id }: HpkeCase): Suite => ({
  ...(kem_id === X_WING_SUITE.kem.id ? X_WING_SUITE : X25519_SUITE),
  ...(aead_id === 1 ? { aeadId: 1, keyBytes: 16 } : { aeadId: aead_id }),
});

for (const one of casesOf("hpke-x25519"))
  test(`RFC 9180, appendix A: the sender and the recipient of AEAD ${one.aead_id}`, () => {
    const suite = suiteOf(one);
    const key = suite.kem.keyOf(hex(one.skRm));
    assert.equal(toHex(key.publicKey), one.pkRm);
    const sender = setupSender({ suite, publicKey: key.publicKey }, hex(one.info), hex(one.skEm ?? ""));
    assert.equal(toHex(sender.encapsulated), one.enc);
    const recipient = setupRecipient({ suite, key }, hex(one.enc), hex(one.info)) ?? assert.fail();
    for (const side of [sender, recipient])
      for (const { context, length, value } of one.exports)
        assert.equal(toHex(side.export(hex(context), length)), value);
    if (one.aead_id > 2) return;
    const wanted = new Map(one.encryptions?.map((encryption) => [encryption.sequence, encryption]));
    for (let number = 0; number <= Math.max(...wanted.keys()); number += 1) {
      const { pt = "", aad = "", ct } = wanted.get(number) ?? {};
      const sealed = sender.seal(hex(pt), hex(aad));
      if (ct !== undefined) assert.equal(toHex(sealed), ct);
      assert.equal(toHex(recipient.open(sealed, hex(aad)) ?? assert.fail()), pt);
    }
  });

for (const one of casesOf("hpke-x-wing"))
  test(`draft-ietf-hpke-pq: what the recipient of AEAD ${one.aead_id} exports`, () => {
    const suite = suiteOf(one);
    const key = suite.kem.keyOf(hex(one.skRm));
    assert.equal(toHex(key.publicKey), one.pkRm);
    const recipient = setupRecipient({ suite, key }, hex(one.enc), hex(one.info)) ?? assert.fail();
    assert.ok(one.exports.length > 0);
    for (const { context, length, value } of one.exports)
      assert.equal(toHex(recipient.export(hex(context), length)), value);
  });

const bytes = fc.uint8Array({ maxLength: 64 });
const flip = (whole: Uint8Array, at: number): Uint8Array =>
  whole.with(at % whole.length, (whole[at % whole.length] ?? 0) ^ 1);

for (const suite of [...SUITES, AES_128_SUITE]) {
  const key = suite.kem.keyOf(randomBytes(32));
  const recipientOf = { suite, publicKey: key.publicKey };
  const name = `${suite.kem.name}, AEAD ${suite.aeadId}`;

  test(`property: messages of ${name} open in their order, with their aad alone`, () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(bytes, bytes), { minLength: 2, maxLength: 4 }), bytes, (messages, info) => {
        const sender = setupSender(recipientOf, info);
        const sealed = messages.map(([plaintext, aad]) => sender.seal(plaintext, aad));
        const recipient = setupRecipient({ suite, key }, sender.encapsulated, info) ?? assert.fail();
        for (const [index, [plaintext, aad]] of messages.entries()) {
          const own = sealed[index] ?? assert.fail();
          assert.equal(own.length, plaintext.length + 16);
          const next = sealed[index + 1];
          if (next !== undefined) assert.equal(recipient.open(next, aad), null);
          assert.equal(recipient.open(own, latin1("another")), null);
          assert.equal(recipient.open(flip(own, plaintext.length), aad), null);
          assert.equal(recipient.open(own.subarray(0, 15), aad), null);
          // What was refused took no number.
          assert.deepEqual(recipient.open(own, aad), new Uint8Array(plaintext));
          assert.equal(recipient.open(own, aad), null);
        }
      }),
      { numRuns: 20 },
    );
  });

  test(`with ${name} nothing opens under another info, another key, or another encapsulated key`, () => {
    const sender = setupSender(recipientOf, latin1("info"));
    const sealed = sender.seal(latin1("text"), latin1("aad"));
    const open = (own: { suite: Suite; key: typeof key }, encapsulated: Uint8Array, info: string): Uint8Array | null =>
      setupRecipient(own, encapsulated, latin1(info))?.open(sealed, latin1("aad")) ?? null;
    const { encapsulated } = sender;
    assert.deepEqual(open({ suite, key }, encapsulated, "info"), latin1("text"));
    assert.equal(open({ suite, key }, encapsulated, "other"), null);
    assert.equal(open({ suite, key: suite.kem.keyOf(randomBytes(32)) }, encapsulated, "info"), null);
    assert.equal(open({ suite: { ...suite, aeadId: 9 }, key }, encapsulated, "info"), null);
    for (const at of [0, encapsulated.length - 2])
      assert.equal(open({ suite, key }, flip(encapsulated, at), "info"), null);
    for (const length of [0, encapsulated.length - 1])
      assert.equal(setupRecipient({ suite, key }, encapsulated.subarray(0, length), latin1("info")), null);
    assert.equal(setupRecipient({ suite, key }, Buffer.concat([encapsulated, latin1("x")]), latin1("info")), null);
  });

  test(`both sides of ${name} export the same, of each context something else, and no more than HKDF gives`, () => {
    const sender = setupSender(recipientOf, latin1("info"));
    const recipient = setupRecipient({ suite, key }, sender.encapsulated, latin1("info")) ?? assert.fail();
    for (const length of [0, 1, 16, 32, 33, MAX_EXPANDED_BYTES]) {
      const exported = sender.export(latin1("one"), length);
      assert.equal(exported.length, length);
      assert.deepEqual(exported, recipient.export(latin1("one"), length));
      if (length > 1) assert.notDeepEqual(exported, recipient.export(latin1("two"), length));
    }
    assert.throws(() => sender.export(latin1("one"), MAX_EXPANDED_BYTES + 1), { code: "USAGE" });
  });
}
