/**
 * Chunked Oblivious HTTP written from the draft on `@hpke` and WebCrypto, without code of ours: each side opens what the
 * other sealed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openRequest, randomBytes, sealRequest, X25519_SUITE, X_WING_SUITE } from "@cmcp/seal";
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256, type SenderContext } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";

const KEY_ID = 3;
const bytes = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text));
const own = (view: Uint8Array): ArrayBuffer => Uint8Array.from(view).buffer;
const plain = (buffer: ArrayBuffer): Uint8Array => new Uint8Array(buffer);
const FINAL = bytes("final");
const NONE = new Uint8Array();

async function* streamOf(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, void> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}
async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
async function joined(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

const headerOf = (kemId: number): Uint8Array => Uint8Array.of(KEY_ID, kemId >> 8, kemId & 255, 0, 1, 0, 2);
const infoOf = (header: Uint8Array): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.concat([bytes("message/bhttp chunked request"), Uint8Array.of(0), header]));

/** A chunk that is not final, of less than 16 384 bytes, behind a length of two bytes; and the final one. */
const framed = (sealed: ArrayBuffer): Buffer =>
  Buffer.concat([Uint8Array.of(0x40 | (sealed.byteLength >> 8), sealed.byteLength & 255), plain(sealed)]);
const framedFinal = (sealed: ArrayBuffer): Buffer => Buffer.concat([Uint8Array.of(0), plain(sealed)]);

/** The chunks of a message, the final one last, by the lengths before them. */
function chunksOf(framing: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const first = framing[at] ?? assert.fail();
    const width = 1 << (first >> 6);
    const length = Buffer.from(framing.subarray(at, at + width)).readUIntBE(0, width) & (width === 1 ? 0x3f : 0x3fff);
    at += width;
    if (length === 0) return [...chunks, framing.subarray(at)];
    chunks.push(framing.subarray(at, at + length));
    at += length;
  }
}

/** The key of an answer and the nonce of each of its chunks (RFC 9458 section 4.4, draft section 6.2). */
async function answerKeys(exporter: Pick<SenderContext, "export">, enc: Uint8Array, nonce: Uint8Array) {
  const secret = await exporter.export(bytes("message/bhttp chunked response"), 32);
  const ikm = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const salt = own(Buffer.concat([enc, nonce]));
  const derive = async (info: string, length: number): Promise<ArrayBuffer> =>
    await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info: bytes(info) }, ikm, length * 8);
  const key = await crypto.subtle.importKey("raw", await derive("key", 32), "AES-GCM", false, ["encrypt", "decrypt"]);
  const base = plain(await derive("nonce", 12));
  const parameters = (number: number, additionalData: Uint8Array<ArrayBuffer>) => ({
    name: "AES-GCM",
    iv: Uint8Array.from(base.with(11, (base[11] ?? 0) ^ number)),
    additionalData,
  });
  return { key, parameters };
}

for (const [suite, kem] of [
  [X_WING_SUITE, new XWing()],
  [X25519_SUITE, new DhkemX25519HkdfSha256()],
] as const) {
  const theirs = new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes256Gcm() });
  const header = headerOf(suite.kem.id);
  const privateKey = randomBytes(32);
  const key = suite.kem.keyOf(privateKey);

  test(`${suite.kem.name}: their client, our gateway`, async () => {
    const recipientPublicKey = await theirs.kem.deserializePublicKey(own(key.publicKey));
    const sender = await theirs.createSenderContext({ recipientPublicKey, info: infoOf(header) });
    const request = Buffer.concat([
      header,
      plain(sender.enc),
      framed(await sender.seal(bytes("one "))),
      framed(await sender.seal(bytes("two "))),
      framedFinal(await sender.seal(bytes("three"), FINAL)),
    ]);
    const opened = await openRequest(streamOf(request), (id) => (id === KEY_ID ? { suite, key } : null));
    assert.equal(await textOf(opened.message), "one two three");

    const answer = await joined(opened.sealAnswer(streamOf(bytes("four "), bytes("five"))));
    const keys = await answerKeys(sender, plain(sender.enc), answer.subarray(0, 32));
    const chunks = chunksOf(answer.subarray(32));
    const read = await Promise.all(
      chunks.map(async (chunk, number) => {
        const aad = number === chunks.length - 1 ? FINAL : NONE;
        return Buffer.from(await crypto.subtle.decrypt(keys.parameters(number, aad), keys.key, own(chunk))).toString();
      }),
    );
    assert.deepEqual(read, ["four ", "five", ""]);
  });

  test(`${suite.kem.name}: our client, their gateway`, async () => {
    const sealed = sealRequest({ id: KEY_ID, suite, publicKey: key.publicKey }, streamOf(bytes("one "), bytes("two")));
    const request = await joined(sealed.bytes);
    assert.deepEqual(request.subarray(0, 7), Buffer.from(header));
    const enc = request.subarray(7, 7 + suite.kem.encapsulatedBytes);
    const recipient = await theirs.createRecipientContext({
      recipientKey: await theirs.kem.importKey("raw", own(privateKey), false),
      enc: own(enc),
      info: infoOf(header),
    });
    const read: string[] = [];
    const chunks = chunksOf(request.subarray(7 + suite.kem.encapsulatedBytes));
    for (const [number, chunk] of chunks.entries())
      read.push(Buffer.from(await recipient.open(own(chunk), number === 2 ? FINAL : NONE)).toString());
    assert.deepEqual(read, ["one ", "two", ""]);

    const nonce = randomBytes(32);
    const keys = await answerKeys(recipient, enc, nonce);
    const seal = async (number: number, text: string, aad: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> =>
      await crypto.subtle.encrypt(keys.parameters(number, aad), keys.key, bytes(text));
    const answer = Buffer.concat([
      nonce,
      framed(await seal(0, "three ", NONE)),
      framedFinal(await seal(1, "four", FINAL)),
    ]);
    assert.equal(await textOf(sealed.openAnswer(streamOf(answer))), "three four");
  });
}
