/** Messages are read as they were written, or refused by a code, and sources are closed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { concatBytes, latin1 } from "../bytes.ts";
import { bytesOf, cut, streamOf } from "../testing/streams.ts";
import { hex, vectors } from "../testing/vectors.ts";
import type { RequestHead, ResponseHead } from "./message.ts";
import { padMessage, padStream } from "./padding.ts";
import { readRequest, readResponse } from "./read.ts";
import { encodeRequest, encodeResponse, streamRequest, streamResponse } from "./write.ts";
import { field, LIMITS, raw, request, REQUEST, response, RESPONSE, whole } from "../testing/whole-messages.ts";

const EXAMPLES = vectors("binary-http") as Readonly<Record<string, string>>;
const example = (name: string): Uint8Array => hex(EXAMPLES[name] ?? "");

const textOf = (letters: string, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...letters.split("")), minLength: 1, maxLength });
const PLAIN = { noNullPrototype: true } as const;
const fields = fc.array(
  fc.record(
    {
      name: textOf("abc-1!~", 12),
      value: fc.oneof(fc.constant(""), textOf("aZ9,;=\u00e9\u00ff", 20)),
    },
    PLAIN,
  ),
  { maxLength: 4 },
);
const requestHead: fc.Arbitrary<RequestHead> = fc.record(
  {
    method: fc.constantFrom("GET", "POST", "M-SEARCH"),
    scheme: fc.constantFrom("https", "http"),
    authority: fc.constantFrom("", "example.com", "[::1]:8443"),
    path: fc.constantFrom("/", "/mcp?x=%20&y", "*"),
    fields,
  },
  PLAIN,
);
const responseHead: fc.Arbitrary<ResponseHead> = fc.record(
  {
    informational: fc.array(fc.record({ status: fc.integer({ min: 100, max: 199 }), fields }, PLAIN), { maxLength: 2 }),
    status: fc.integer({ min: 200, max: 599 }),
    fields,
  },
  PLAIN,
);
const content = fc.array(fc.uint8Array({ maxLength: 90 }), { maxLength: 4 });
const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 });

test("property: a message is read as it was written, in both forms, padded or not, however it is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      requestHead,
      responseHead,
      fields,
      content,
      cuts,
      async (asked, answer, trailers, pieces, cuts) => {
        const body = concatBytes(...pieces);
        const expected = { content: Buffer.from(body).toString("latin1"), trailers };
        const stream = () => ({ content: streamOf(...pieces), trailers });
        const forms = async <Head>(known: Uint8Array, streamed: () => AsyncIterable<Uint8Array>, head: Head) => {
          const padded = await bytesOf(padStream(streamed()));
          assert.equal(padded.length, padMessage(await bytesOf(streamed())).length);
          return { head, bytes: [known, padMessage(known), await bytesOf(streamed()), padded] };
        };
        const requests = await forms(
          encodeRequest(asked, { content: body, trailers }),
          () => streamRequest(asked, stream()),
          asked,
        );
        for (const bytes of requests.bytes)
          assert.deepEqual(await whole(await readRequest(streamOf(...cut(bytes, cuts)), LIMITS)), {
            head: asked,
            ...expected,
          });
        const responses = await forms(
          encodeResponse(answer, { content: body, trailers }),
          () => streamResponse(answer, stream()),
          answer,
        );
        for (const bytes of responses.bytes)
          assert.deepEqual(await whole(await readResponse(streamOf(...cut(bytes, cuts)), LIMITS)), {
            head: answer,
            ...expected,
          });
      },
    ),
    { numRuns: 60 },
  );
});

test("property: any bytes are read or refused by a code, never by another error", async () => {
  const codes = /^BINARY_HTTP_(?:INVALID|TOO_LARGE)$/;
  const attempt = async (bytes: Uint8Array): Promise<void> => {
    for (const read of [request, response])
      await read(bytes).catch((thrown: { readonly code?: string }) => assert.match(thrown.code ?? "none", codes));
  };
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), attempt));
  const known = concatBytes(example("indeterminate_response"));
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: known.length - 1 }), fc.nat({ max: 255 }), async (at, byte) => {
      await attempt(known.with(at, byte));
    }),
  );
});

test("property: content that was cut off is never whole, in either form", async () => {
  const answer: ResponseHead = { informational: [], status: 200, fields: [] };
  const head = await bytesOf(streamResponse(answer, { content: streamOf() }));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.nat(), async (body, at) => {
      const streamed = await bytesOf(streamResponse(answer, { content: streamOf(body, body) }));
      const headBytes = head.length - 2;
      const cutAt = headBytes + 1 + (at % (streamed.length - headBytes - 3));
      await assert.rejects(response(streamed.subarray(0, cutAt)), { code: "BINARY_HTTP_INVALID" });
      const known = encodeResponse(answer, { content: body });
      for (let length = 5; length < known.length - 1; length += 1)
        await assert.rejects(response(known.subarray(0, length)), { code: "BINARY_HTTP_INVALID" });
    }),
    { numRuns: 30 },
  );
});

test("a piece of content is there before the message ends, and the trailer only then", async () => {
  const later = Promise.withResolvers<Uint8Array>();
  async function* events(): AsyncGenerator<Uint8Array, void, void> {
    yield latin1("one");
    yield await later.promise;
  }
  const message = await readResponse(
    streamResponse(RESPONSE, { content: events(), trailers: [field("t", "v")] }),
    LIMITS,
  );
  const pieces = message.content[Symbol.asyncIterator]();
  assert.deepEqual(await pieces.next(), { done: false, value: latin1("one") });
  assert.deepEqual(message.trailers(), []);
  later.resolve(latin1("two"));
  assert.deepEqual(await pieces.next(), { done: false, value: latin1("two") });
  assert.equal((await pieces.next()).done, true);
  assert.deepEqual(message.trailers(), [field("t", "v")]);
});

test("the source is closed after a head that is refused, after content that nobody wants, and on demand", async () => {
  let closed = 0;
  async function* source(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (const byte of bytes) yield await Promise.resolve(Uint8Array.of(byte));
    } finally {
      closed += 1;
    }
  }
  await assert.rejects(readRequest(source(raw(9, "x")), LIMITS), { code: "BINARY_HTTP_INVALID" });
  assert.equal(closed, 1);
  const known = encodeRequest(REQUEST, { content: latin1("content") });
  for await (const piece of (await readRequest(source(known), LIMITS)).content) {
    assert.equal(piece.length, 1);
    break;
  }
  assert.equal(closed, 2);
  await (await readRequest(source(known), LIMITS)).close();
  assert.equal(closed, 3);
});
