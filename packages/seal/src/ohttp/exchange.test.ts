import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import { concatBytes, EMPTY, latin1 } from "../bytes.ts";
import { setupSender, type OwnKey } from "../hpke/context.ts";
import { SUITES, X25519_SUITE, X_WING_SUITE } from "../hpke/suite.ts";
import { randomBytes } from "../platform.ts";
import { bytesOf, cut, piecesOf, streamOf } from "../testing/streams.ts";
import { AES_128_SUITE, hex, vectors } from "../testing/vectors.ts";
import { MAX_CHUNK_BYTES } from "./chunk.ts";
import { openRequest, sealRequest, type OpenedRequest } from "./exchange.ts";

const published = vectors("chunked-ohttp") as Readonly<Record<string, string>>;
const value = (name: string): Uint8Array => hex(published[name] ?? "");
const lengths = (name: string): readonly number[] =>
  (vectors("chunked-ohttp") as Readonly<Record<string, readonly number[]>>)[name] ?? [];

test("the draft's example: both sides of the request and of the answer, byte for byte", async () => {
  const key = AES_128_SUITE.kem.keyOf(value("private_key"));
  const to = { id: 1, suite: AES_128_SUITE, publicKey: key.publicKey };
  const pieces = cut(value("request"), lengths("request_pieces"));
  const sealed = sealRequest(to, streamOf(...pieces), value("ephemeral_private_key"));
  assert.equal(toHex(await bytesOf(sealed.bytes)), published["encapsulated_request"]);

  const opened = await openRequest(streamOf(value("encapsulated_request")), (id) =>
    id === 1 ? { suite: AES_128_SUITE, key } : null,
  );
  assert.deepEqual(await piecesOf(opened.message), pieces);
  const answer = cut(value("response"), lengths("response_pieces"));
  const answered = opened.sealAnswer(streamOf(...answer), value("response_nonce"));
  assert.equal(toHex(await bytesOf(answered)), published["encapsulated_response"]);
  assert.deepEqual(await piecesOf(sealed.openAnswer(streamOf(value("encapsulated_response")))), answer);
});

const ID = 7;
const keys = new Map(SUITES.map((suite) => [suite, { suite, key: suite.kem.keyOf(randomBytes(32)) }]));
const flip = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, (bytes[at] ?? 0) ^ 1);
const keyOf = (suite: OwnKey["suite"]): OwnKey => keys.get(suite) ?? assert.fail();
const seal = (suite: OwnKey["suite"], ...pieces: readonly Uint8Array[]) =>
  sealRequest({ id: ID, suite, publicKey: keyOf(suite).key.publicKey }, streamOf(...pieces));
const open = async (suite: OwnKey["suite"], ...pieces: readonly Uint8Array[]): Promise<OpenedRequest> =>
  await openRequest(streamOf(...pieces), (id) => (id === ID ? keyOf(suite) : null));

/** The pieces that opened before the end or the error, and the error's code; `null` for the end. */
async function readOut(stream: AsyncIterable<Uint8Array>): Promise<{ read: Uint8Array; code: string | null }> {
  const read: Uint8Array[] = [];
  try {
    for await (const piece of stream) read.push(piece);
    return { read: concatBytes(...read), code: null };
  } catch (thrown) {
    return { read: concatBytes(...read), code: (thrown as { readonly code: string }).code };
  }
}
async function* opening(suite: OwnKey["suite"], pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, void> {
  yield* (await open(suite, ...pieces)).message;
}

const content = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 4 });
const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 4 });

for (const suite of SUITES) {
  const { name } = suite.kem;

  test(`property: with ${name} request and answer arrive as they were written, however they are cut`, async () => {
    await fc.assert(
      fc.asyncProperty(content, content, cuts, async (asked, answer, cuts) => {
        const sealed = seal(suite, ...asked);
        const opened = await open(suite, ...cut(await bytesOf(sealed.bytes), cuts));
        assert.equal(opened.keyId, ID);
        assert.equal(opened.encapsulated.length, suite.kem.encapsulatedBytes);
        assert.deepEqual(await bytesOf(opened.message), concatBytes(...asked));
        const answered = await bytesOf(opened.sealAnswer(streamOf(...answer)));
        assert.deepEqual(await bytesOf(sealed.openAnswer(streamOf(...cut(answered, cuts)))), concatBytes(...answer));
      }),
      { numRuns: 25 },
    );
  });

  /** Chunks in the order of their numbers, changed in one of all the ways that order and framing can be. */
  const changes: Readonly<Record<string, (chunks: readonly Uint8Array[], at: number, to: number) => Uint8Array[]>> = {
    drop: (chunks, at) => chunks.toSpliced(at, 1),
    duplicate: (chunks, at) => chunks.toSpliced(at, 0, chunks[at] ?? EMPTY),
    move: (chunks, at, to) => chunks.toSpliced(at, 1).toSpliced(to, 0, chunks[at] ?? EMPTY),
    "cut off": (chunks, at) => chunks.slice(0, at),
    "cut within": (chunks, at, to) => [
      ...chunks.slice(0, at),
      (chunks[at] ?? EMPTY).subarray(0, to % (chunks[at] ?? EMPTY).length),
    ],
    "change a bit": (chunks, at, to) => {
      const chunk = chunks[at] ?? EMPTY;
      return chunks.with(at, chunk.with(to % chunk.length, (chunk[to % chunk.length] ?? 0) ^ 1));
    },
    "end early": (chunks, at) => [...chunks.slice(0, at), Uint8Array.of(0, ...(chunks[at] ?? EMPTY).subarray(1))],
    "go on after the end": (chunks) => [...chunks, Uint8Array.of(0)],
  };
  for (const [change, apply] of Object.entries(changes))
    test(`property: with ${name} it is found when somebody does this to chunks: ${change}`, async () => {
      const piece = fc.uint8Array({ minLength: 1, maxLength: 20 });
      await fc.assert(
        fc.asyncProperty(
          fc.array(piece, { minLength: 1, maxLength: 4 }),
          fc.nat(),
          fc.nat(),
          async (pieces, at, to) => {
            const sealed = seal(suite, ...pieces);
            const request = await piecesOf(sealed.bytes);
            const opened = await open(suite, ...request);
            await bytesOf(opened.message);
            const answer = await piecesOf(opened.sealAnswer(streamOf(...pieces)));
            const changed = ([first = EMPTY, ...chunks]: readonly Uint8Array[]): Uint8Array[] => [
              first,
              ...apply(chunks, at % chunks.length, to % (chunks.length + 20)),
            ];
            const whole = concatBytes(...pieces);
            for (const [original, read, codes] of [
              [request, (bytes: readonly Uint8Array[]) => opening(suite, bytes), ["SEAL_NOT_OPENED"]],
              [
                answer,
                (bytes: readonly Uint8Array[]) => sealed.openAnswer(streamOf(...bytes)),
                ["SEAL_NOT_OPENED", "SEAL_OUTCOME_UNKNOWN"],
              ],
            ] as const) {
              const bytes = changed(original);
              const { read: got, code } = await readOut(read(bytes));
              assert.deepEqual(got, whole.subarray(0, got.length), "what came before is what was written");
              // Some changes give the same bytes again.
              if (toHex(concatBytes(...bytes)) === toHex(concatBytes(...original))) assert.equal(code, null);
              else
                assert.ok(
                  codes.some((one) => one === code),
                  `${code}`,
                );
            }
          },
        ),
        { numRuns: 25 },
      );
    });

  test(`with ${name} a request opens with no other key, id, suite or encapsulated key, and always fails in one way`, async () => {
    const bytes = await bytesOf(seal(suite, latin1("text")).bytes);
    assert.deepEqual(await bytesOf((await open(suite, bytes)).message), latin1("text"));
    const other = { suite, key: suite.kem.keyOf(randomBytes(32)) };
    const messages = new Set<string>();
    const fails = async (bytes: Uint8Array, own: OwnKey | null = keyOf(suite)): Promise<void> => {
      await assert.rejects(
        async () => await bytesOf((await openRequest(streamOf(bytes), () => own)).message),
        (thrown: { readonly code: string; readonly message: string }) => {
          messages.add(thrown.message);
          return thrown.code === "SEAL_NOT_OPENED";
        },
      );
    };
    await fails(bytes, null);
    await fails(bytes, other);
    await fails(bytes, keyOf(suite === X25519_SUITE ? X_WING_SUITE : X25519_SUITE));
    for (let at = 0; at < 7 + 2; at += 1) await fails(flip(bytes, at));
    await fails(flip(bytes, 7 + suite.kem.encapsulatedBytes - 2));
    for (const length of [0, 1, 6, 7, 8, 7 + suite.kem.encapsulatedBytes]) await fails(bytes.subarray(0, length));
    assert.equal(messages.size, 1);
  });

  test(`with ${name} an answer opens for its own request alone`, async () => {
    const [one, two] = [seal(suite, latin1("one")), seal(suite, latin1("two"))];
    const opened = await open(suite, await bytesOf(one.bytes));
    const answer = await bytesOf(opened.sealAnswer(streamOf(latin1("text"))));
    assert.deepEqual(await bytesOf(one.openAnswer(streamOf(answer))), latin1("text"));
    assert.equal((await readOut(two.openAnswer(streamOf(answer)))).code, "SEAL_NOT_OPENED");
    const again = await bytesOf(opened.sealAnswer(streamOf(latin1("text"))));
    assert.notDeepEqual(again, answer, "each answer has a nonce of its own");
    assert.equal((await readOut(one.openAnswer(streamOf(flip(answer, 31))))).code, "SEAL_NOT_OPENED");
  });
}

test("an answer that ends before its final chunk has an unknown outcome, wherever it ends", async () => {
  const sealed = seal(X25519_SUITE);
  const opened = await open(X25519_SUITE, await bytesOf(sealed.bytes));
  const answer = await bytesOf(opened.sealAnswer(streamOf(latin1("one"), latin1("two"))));
  const finalAt = answer.length - 17;
  for (let length = 0; length < answer.length; length += 1) {
    const { code } = await readOut(sealed.openAnswer(streamOf(answer.subarray(0, length))));
    // Once the final chunk has begun, it is what does not open.
    assert.equal(code, length <= finalAt ? "SEAL_OUTCOME_UNKNOWN" : "SEAL_NOT_OPENED", String(length));
  }
});

test("long pieces are several chunks of the largest size, and a chunk above it is refused", async () => {
  const piece = new Uint8Array(2 * MAX_CHUNK_BYTES + 1).fill(1);
  const sealed = seal(X25519_SUITE, piece);
  const chunks = (await piecesOf(sealed.bytes)).slice(1);
  assert.deepEqual(
    chunks.map(({ length }) => length),
    [MAX_CHUNK_BYTES + 20, MAX_CHUNK_BYTES + 20, 1 + 17, 17],
  );
  const header = await bytesOf(seal(X25519_SUITE).bytes);
  const long = concatBytes(header.subarray(0, 39), Uint8Array.of(0x80, 0, 0x40, 0x11), new Uint8Array(20_000));
  assert.equal((await readOut(opening(X25519_SUITE, [long]))).code, "SEAL_NOT_OPENED");
});

/** A request with the header that is given, sealed by the suite of X25519 all the same. */
function sealedUnder(header: Uint8Array, plaintext: Uint8Array, final: boolean): Uint8Array {
  const info = concatBytes(latin1("message/bhttp chunked request"), Uint8Array.of(0), header);
  const context = setupSender({ suite: X25519_SUITE, publicKey: keyOf(X25519_SUITE).key.publicKey }, info);
  const sealed = context.seal(plaintext, final ? latin1("final") : EMPTY);
  const length = final ? Uint8Array.of(0) : Uint8Array.of(0x80, 0, sealed.length >> 8, sealed.length & 255);
  const end = final ? EMPTY : concatBytes(Uint8Array.of(0), context.seal(EMPTY, latin1("final")));
  return concatBytes(header, context.encapsulated, length, sealed, end);
}
const HEADER = Uint8Array.of(ID, 0, 0x20, 0, 1, 0, 2);

test("a header that names other algorithms than were used is refused, though it is authentic", async () => {
  assert.equal((await readOut(opening(X25519_SUITE, [sealedUnder(HEADER, EMPTY, true)]))).code, null);
  for (const at of [1, 2, 3, 4, 5, 6])
    assert.equal(
      (await readOut(opening(X25519_SUITE, [sealedUnder(flip(HEADER, at), EMPTY, true)]))).code,
      "SEAL_NOT_OPENED",
    );
});

test("a chunk that is not final and a final one have the largest size, and no more", async () => {
  const sealAs = (plaintext: Uint8Array, final: boolean): Uint8Array => sealedUnder(HEADER, plaintext, final);
  for (const final of [true, false]) {
    const { read, code } = await readOut(opening(X25519_SUITE, [sealAs(new Uint8Array(MAX_CHUNK_BYTES), final)]));
    assert.deepEqual([read.length, code], [MAX_CHUNK_BYTES, null]);
    const above = await readOut(opening(X25519_SUITE, [sealAs(new Uint8Array(MAX_CHUNK_BYTES + 1), final)]));
    assert.deepEqual([above.read.length, above.code], [0, "SEAL_NOT_OPENED"]);
  }
  // Draft section 6: no data in a chunk that is not the final one is as a chunk that does not open.
  assert.equal((await readOut(opening(X25519_SUITE, [sealAs(EMPTY, false)]))).code, "SEAL_NOT_OPENED");
  assert.deepEqual(await readOut(opening(X25519_SUITE, [sealAs(EMPTY, true)])), { read: EMPTY, code: null });
});

test("each piece is sealed and opened before the next is there, in both directions", async () => {
  const later = [Promise.withResolvers<Uint8Array>(), Promise.withResolvers<Uint8Array>()] as const;
  async function* slowly(first: string, then: Promise<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    yield latin1(first);
    yield EMPTY;
    yield await then;
  }
  const sealed = sealRequest(
    { id: ID, suite: X25519_SUITE, publicKey: keyOf(X25519_SUITE).key.publicKey },
    slowly("one", later[0].promise),
  );
  const opened = await openRequest(sealed.bytes, () => keyOf(X25519_SUITE));
  const message = opened.message[Symbol.asyncIterator]();
  assert.deepEqual(await message.next(), { done: false, value: latin1("one") });
  const answer = sealed.openAnswer(opened.sealAnswer(slowly("three", later[1].promise)))[Symbol.asyncIterator]();
  assert.deepEqual(await answer.next(), { done: false, value: latin1("three") });
  later[0].resolve(latin1("two"));
  assert.deepEqual(await message.next(), { done: false, value: latin1("two") });
  assert.equal((await message.next()).done, true);
  later[1].resolve(latin1("four"));
  assert.deepEqual(await answer.next(), { done: false, value: latin1("four") });
  assert.equal((await answer.next()).done, true);
});

test("the source is closed after a failure, after a reader that stops, and on demand", async () => {
  const bytes = await bytesOf(seal(X25519_SUITE, latin1("one"), latin1("two")).bytes);
  let closed = 0;
  async function* source(all: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (const byte of all) yield await Promise.resolve(Uint8Array.of(byte));
    } finally {
      closed += 1;
    }
  }
  await assert.rejects(
    openRequest(source(bytes), () => null),
    { code: "SEAL_NOT_OPENED" },
  );
  assert.equal(closed, 1);
  const key = (): OwnKey => keyOf(X25519_SUITE);
  assert.equal((await readOut((await openRequest(source(flip(bytes, 45)), key)).message)).code, "SEAL_NOT_OPENED");
  assert.equal(closed, 2);
  for await (const piece of (await openRequest(source(bytes), key)).message) {
    assert.deepEqual(piece, latin1("one"));
    break;
  }
  assert.equal(closed, 3);
  await (await openRequest(source(bytes), key)).close();
  assert.equal(closed, 4);
});
