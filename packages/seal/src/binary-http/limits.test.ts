/** Bounds on what is read and written. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "../bytes.ts";
import { bytesOf, streamOf } from "../testing/streams.ts";
import { varint } from "../varint.ts";
import {
  MAX_AUTHORITY_BYTES,
  MAX_FIELDS,
  MAX_INFORMATIONAL,
  MAX_METHOD_BYTES,
  MAX_NAME_BYTES,
  MAX_PATH_BYTES,
  MAX_SCHEME_BYTES,
  MAX_SECTION_BYTES,
  MAX_VALUE_BYTES,
} from "./limits.ts";
import type { Field, RequestHead } from "./message.ts";
import { encodeRequest, encodeResponse, streamRequest } from "./write.ts";
import { field, raw, request, REQUEST, response, RESPONSE } from "../testing/whole-messages.ts";

test("every text has its bound, which it may reach", async () => {
  for (const [name, max] of [
    ["method", MAX_METHOD_BYTES],
    ["scheme", MAX_SCHEME_BYTES],
    ["authority", MAX_AUTHORITY_BYTES],
    ["path", MAX_PATH_BYTES],
  ] as const) {
    const at = (length: number): RequestHead => ({
      ...REQUEST,
      [name]: name === "path" ? `/${"a".repeat(length - 1)}` : "a".repeat(length),
    });
    assert.equal((await request(encodeRequest(at(max)))).head[name].length, max);
    assert.throws(() => encodeRequest(at(max + 1)), { code: "BINARY_HTTP_TOO_LARGE" });
    const { method, scheme, authority, path } = at(max + 1);
    await assert.rejects(request(raw(0, method, scheme, authority, path)), { code: "BINARY_HTTP_TOO_LARGE" });
  }
});

test("fields have bounds: each name, each value, all of them, and their number", async () => {
  const sections: readonly (readonly [readonly Field[], boolean])[] = [
    [[field("n".repeat(MAX_NAME_BYTES), "")], true],
    [[field("n".repeat(MAX_NAME_BYTES + 1), "")], false],
    [[field("n", "v".repeat(MAX_VALUE_BYTES))], true],
    [[field("n", "v".repeat(MAX_VALUE_BYTES + 1))], false],
    [Array.from({ length: MAX_FIELDS }, () => field("n", "v")), true],
    [Array.from({ length: MAX_FIELDS + 1 }, () => field("n", "v")), false],
    [Array.from({ length: 4 }, () => field("n", "v".repeat(MAX_SECTION_BYTES / 4 - 1))), true],
    [[...Array.from({ length: 4 }, () => field("n", "v".repeat(MAX_SECTION_BYTES / 4 - 1))), field("m", "")], false],
  ];
  for (const [fields, fits] of sections) {
    const lines = raw(...fields.flatMap(({ name, value }) => [name, value]));
    const known = concatBytes(raw(1, 200), varint(lines.length), lines);
    const open = concatBytes(raw(3, 200), lines, varint(0));
    const trailer = concatBytes(raw(1, 200, "", ""), varint(lines.length), lines);
    for (const bytes of [known, open, trailer]) {
      if (fits) await response(bytes);
      else await assert.rejects(response(bytes), { code: "BINARY_HTTP_TOO_LARGE" });
    }
    const write = (): unknown => encodeResponse({ ...RESPONSE, fields });
    if (fits) write();
    else assert.throws(write, { code: "BINARY_HTTP_TOO_LARGE" });
  }
  await assert.rejects(response(concatBytes(raw(1, 200), varint(MAX_SECTION_BYTES + 16 * MAX_FIELDS + 1))), {
    code: "BINARY_HTTP_TOO_LARGE",
  });
  await assert.rejects(response(concatBytes(raw(1, 200), varint(MAX_SECTION_BYTES + 16 * MAX_FIELDS))), {
    code: "BINARY_HTTP_INVALID",
  });
});

test("informational responses have a bound, which they may reach", async () => {
  const informational = Array.from({ length: MAX_INFORMATIONAL }, () => ({ status: 102, fields: [] }));
  assert.equal(
    (await response(encodeResponse({ ...RESPONSE, informational }))).head.informational.length,
    MAX_INFORMATIONAL,
  );
  const more = [...informational, { status: 103, fields: [] }];
  assert.throws(() => encodeResponse({ ...RESPONSE, informational: more }), { code: "BINARY_HTTP_TOO_LARGE" });
  await assert.rejects(response(raw(1, ...more.flatMap(({ status }) => [status, ""]), 200)), {
    code: "BINARY_HTTP_TOO_LARGE",
  });
});

test("content has the caller's bound in all its chunks, and padding another", async () => {
  const limits = { contentBytes: 10, paddingBytes: 20 };
  const streamed = async (...lengths: readonly number[]): Promise<Uint8Array> =>
    await bytesOf(
      streamRequest(REQUEST, { content: streamOf(...lengths.map((length) => new Uint8Array(length).fill(1))) }),
    );
  assert.equal((await request(await streamed(4, 6), limits)).content.length, 10);
  await assert.rejects(request(await streamed(4, 7), limits), { code: "BINARY_HTTP_TOO_LARGE" });
  const known = encodeRequest(REQUEST, { content: new Uint8Array(10) });
  assert.equal((await request(known, limits)).content.length, 10);
  await assert.rejects(request(encodeRequest(REQUEST, { content: new Uint8Array(11) }), limits), {
    code: "BINARY_HTTP_TOO_LARGE",
  });
  await request(concatBytes(known, new Uint8Array(20)), limits);
  await assert.rejects(request(concatBytes(known, new Uint8Array(21)), limits), { code: "BINARY_HTTP_TOO_LARGE" });
  for (const at of [0, 19])
    await assert.rejects(request(concatBytes(known, new Uint8Array(20).with(at, 1)), limits), {
      code: "BINARY_HTTP_INVALID",
    });
});
