/** What may stand in control data and fields (RFC 9292, sections 3.4 to 3.6). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes, EMPTY } from "../bytes.ts";
import type { RequestHead } from "./message.ts";
import { encodeRequest, encodeResponse } from "./write.ts";
import { raw, request, REQUEST, response, RESPONSE } from "../testing/whole-messages.ts";

test("what may not stand in control data or fields is neither read nor written", async () => {
  const rejected = { code: "BINARY_HTTP_INVALID" };
  for (const change of [
    { method: "" },
    { method: "GE T" },
    { method: "GET\n" },
    { scheme: "" },
    { scheme: "HTTPS" },
    { scheme: "1" },
    { authority: "user@host" },
    { authority: "a b" },
    { authority: "\u00e9" },
    { path: "" },
    { path: "a" },
    { path: "/a b" },
    { path: "/a#b" },
    { path: "**" },
    { path: "/\u00e9" },
  ] satisfies readonly Partial<RequestHead>[]) {
    const { method, scheme, authority, path } = { ...REQUEST, ...change };
    assert.throws(() => encodeRequest({ ...REQUEST, ...change }), rejected, JSON.stringify(change));
    await assert.rejects(request(raw(0, method, scheme, authority, path)), rejected, JSON.stringify(change));
  }
  for (const [name, value] of [
    ["", "x"],
    ["Upper", "x"],
    [":status", "200"],
    [":other", "x"],
    ["a b", "x"],
    ["a\u00e9", "x"],
    ["a", "x\n"],
    ["a", "\rx"],
    ["a", "x\0"],
    ["a", " x"],
    ["a", "x\t"],
  ] as const) {
    const fields = [{ name, value }];
    assert.throws(() => encodeRequest({ ...REQUEST, fields }), rejected, name + value);
    assert.throws(() => encodeResponse(RESPONSE, { trailers: fields }), rejected);
    const section = Buffer.from(raw(name, value)).toString("latin1");
    await assert.rejects(response(raw(1, 200, section)), rejected);
    await assert.rejects(response(concatBytes(raw(1, 200, "", "", section))), rejected);
    if (name !== "") await assert.rejects(response(raw(3, 200, name, value, 0)), rejected);
  }
  assert.throws(() => encodeResponse({ ...RESPONSE, fields: [{ name: "a", value: "\u0100" }] }), rejected);
  for (const status of [0, 99, 600, 2 ** 40]) {
    await assert.rejects(response(raw(1, status)), rejected);
    assert.throws(() => encodeResponse({ ...RESPONSE, status }), rejected);
  }
  for (const status of [99, 200, 150.5]) {
    assert.throws(() => encodeResponse({ ...RESPONSE, informational: [{ status, fields: [] }] }), rejected);
  }
  for (const status of [100, 199, 200.5]) assert.throws(() => encodeResponse({ ...RESPONSE, status }), rejected);
  await assert.rejects(response(raw(1, 199, "")), rejected, "no final status");
});

test("a request is no response, and other framings are none", async () => {
  for (const framing of [1, 3, 4, 2 ** 20]) await assert.rejects(request(raw(framing, "GET", "https", "", "/")));
  for (const framing of [0, 2, 4]) await assert.rejects(response(raw(framing, 200)), { code: "BINARY_HTTP_INVALID" });
  await assert.rejects(request(EMPTY), { code: "BINARY_HTTP_INVALID" });
});

test("a field line that leaves its known section is refused", async () => {
  await assert.rejects(response(concatBytes(raw(1, 200, 4), raw("name", "value"))), { code: "BINARY_HTTP_INVALID" });
  await assert.rejects(response(raw(1, 200, "\u0000\u0000")), { code: "BINARY_HTTP_INVALID" });
});

test("a status is informational from 100 to 199, and final from 200 to 599", async () => {
  for (const [first, last] of [
    [100, 200],
    [199, 599],
  ] as const) {
    const { head } = await response(raw(1, first, "", last));
    assert.deepEqual(head, { informational: [{ status: first, fields: [] }], status: last, fields: [] });
    assert.deepEqual(encodeResponse(head).subarray(0, 6), raw(1, first, "", last));
  }
});
