/** The examples of RFC 9292 and RFC 9458, read and written. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import { concatBytes, EMPTY, latin1 } from "../bytes.ts";
import { bytesOf, streamOf } from "../testing/streams.ts";
import { hex, vectors } from "../testing/vectors.ts";
import type { RequestHead } from "./message.ts";
import { encodeRequest, encodeResponse, streamRequest, streamResponse } from "./write.ts";
import { field, request, response } from "../testing/whole-messages.ts";

const EXAMPLES = vectors("binary-http") as Readonly<Record<string, string>>;
const example = (name: string): Uint8Array => hex(EXAMPLES[name] ?? "");

const HELLO: RequestHead = {
  method: "GET",
  scheme: "https",
  authority: "",
  path: "/hello.txt",
  fields: [
    field("user-agent", "curl/7.16.3 libcurl/7.16.3 OpenSSL/0.9.7l zlib/1.2.3"),
    field("host", "www.example.com"),
    field("accept-language", "en, mi"),
  ],
};

test("RFC 9292, request of known length: read and written", async () => {
  const bytes = example("known_request");
  assert.deepEqual(await request(bytes), { head: HELLO, content: "", trailers: [] });
  assert.equal(toHex(encodeRequest(HELLO)), EXAMPLES["known_request"]);
  for (const cutOff of [1, 2]) assert.deepEqual((await request(bytes.subarray(0, -cutOff))).head, HELLO);
  for (let length = 25; length < bytes.length - 2; length += 1)
    await assert.rejects(request(bytes.subarray(0, length)), { code: "BINARY_HTTP_INVALID" }, String(length));
});

test("RFC 9292, request of indeterminate length: read and written, with its padding", async () => {
  const bytes = example("indeterminate_request");
  assert.deepEqual(await request(bytes), { head: HELLO, content: "", trailers: [] });
  const written = await bytesOf(streamRequest(HELLO, { content: streamOf() }));
  assert.equal(toHex(concatBytes(written, new Uint8Array(10))), EXAMPLES["indeterminate_request"]);
  for (let cutOff = 1; cutOff <= 12; cutOff += 1)
    assert.deepEqual((await request(bytes.subarray(0, -cutOff))).head, HELLO);
  await assert.rejects(request(bytes.subarray(0, -13)), { code: "BINARY_HTTP_INVALID" });
});

test("RFC 9292, response with informational ones: read and written", async () => {
  const { head, content, trailers } = await response(example("indeterminate_response"));
  assert.deepEqual(
    head.informational.map(({ status, fields }) => [status, fields.map(({ name }) => name)]),
    [
      [102, ["running"]],
      [103, ["link", "link"]],
    ],
  );
  assert.deepEqual([head.status, head.fields.length, trailers], [200, 8, []]);
  assert.equal(content, "Hello World! My content includes a trailing CRLF.\r\n");
  const written = await bytesOf(streamResponse(head, { content: streamOf(EMPTY, latin1(content), EMPTY) }));
  assert.equal(toHex(written), EXAMPLES["indeterminate_response"]);
});

test("RFC 9292, response of known length with a trailer: read and written", async () => {
  const read = await response(example("known_response"));
  const trailers = [field("trailer", "text")];
  assert.deepEqual(read, {
    head: { informational: [], status: 200, fields: [] },
    content: "This content contains CRLF.\r\n",
    trailers,
  });
  const written = encodeResponse(read.head, { content: latin1(read.content), trailers });
  assert.equal(toHex(written), EXAMPLES["known_response"]);
});

test("RFC 9458's request and response, which end with their control data", async () => {
  const { head } = await request(hex("00034745540568747470730b6578616d706c652e636f6d012f"));
  assert.deepEqual(head, { method: "GET", scheme: "https", authority: "example.com", path: "/", fields: [] });
  assert.deepEqual((await response(hex("0140c8"))).head, { informational: [], status: 200, fields: [] });
});
