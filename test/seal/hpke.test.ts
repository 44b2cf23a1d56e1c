/** Our HPKE and that of `@hpke`, written by others on other code, open what the other sealed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  openMessage,
  randomBytes,
  sealMessage,
  setupRecipient,
  setupSender,
  X25519_SUITE,
  X_WING_SUITE,
} from "@cmcp/seal";
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text));
/** The same bytes, in a buffer of their own, as `@hpke` takes them. */
const own = (view: Uint8Array): ArrayBuffer => Uint8Array.from(view).buffer;
const plain = (buffer: ArrayBuffer): Uint8Array => new Uint8Array(buffer);

for (const [ours, kem] of [
  [X_WING_SUITE, new XWing()],
  [X25519_SUITE, new DhkemX25519HkdfSha256()],
] as const) {
  const theirs = new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes256Gcm() });
  const { name } = ours.kem;
  const privateKey = randomBytes(32);
  const key = ours.kem.keyOf(privateKey);

  test(`${name}: a private key of 32 bytes is the same key pair to both`, async () => {
    const imported = await theirs.kem.importKey("raw", own(privateKey), false);
    const { encapsulated, ciphertext } = sealMessage(
      { suite: ours, publicKey: key.publicKey },
      { info: bytes("info"), aad: bytes("aad") },
      bytes("text"),
    );
    const opened = await theirs.open(
      { recipientKey: imported, enc: own(encapsulated), info: bytes("info") },
      own(ciphertext),
      bytes("aad"),
    );
    assert.deepEqual(plain(opened), bytes("text"));
  });

  test(`${name}: what they seal we open, in order, and what they export we export`, async () => {
    const recipientPublicKey = await theirs.kem.deserializePublicKey(own(key.publicKey));
    const sender = await theirs.createSenderContext({ recipientPublicKey, info: bytes("info") });
    const recipient = setupRecipient({ suite: ours, key }, plain(sender.enc), bytes("info")) ?? assert.fail();
    for (let number = 0; number < 3; number += 1) {
      const sealed = plain(await sender.seal(bytes(`text ${number}`), bytes("aad")));
      assert.equal(recipient.open(sealed, bytes("other")), null);
      assert.deepEqual(recipient.open(sealed, bytes("aad")), new Uint8Array(bytes(`text ${number}`)));
    }
    assert.deepEqual(recipient.export(bytes("context"), 48), plain(await sender.export(bytes("context"), 48)));
  });

  test(`${name}: what we seal they open, in order, and what we export they export`, async () => {
    const pair = await theirs.kem.generateKeyPair();
    const publicKey = plain(await theirs.kem.serializePublicKey(pair.publicKey));
    const sender = setupSender({ suite: ours, publicKey }, bytes("info"));
    const recipient = await theirs.createRecipientContext({
      recipientKey: pair.privateKey,
      enc: own(sender.encapsulated),
      info: bytes("info"),
    });
    for (let number = 0; number < 3; number += 1) {
      const sealed = sender.seal(bytes(`text ${number}`), bytes("aad"));
      assert.deepEqual(plain(await recipient.open(own(sealed), bytes("aad"))), bytes(`text ${number}`));
    }
    assert.deepEqual(sender.export(bytes("context"), 48), plain(await recipient.export(bytes("context"), 48)));
    assert.equal(
      openMessage(
        { suite: ours, key },
        { info: bytes("info"), aad: bytes("aad") },
        { encapsulated: sender.encapsulated, ciphertext: sender.seal(bytes("text"), bytes("aad")) },
      ),
      null,
    );
  });
}
