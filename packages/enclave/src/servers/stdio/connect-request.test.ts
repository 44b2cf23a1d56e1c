import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MAX_HEAD_BYTES, readConnect } from "./connect-request.ts";

const read = (text: string) => readConnect(Buffer.from(text, "latin1"));

const host = fc.oneof(
  fc.domain().map((name) => name.toLowerCase()),
  fc.ipV4(),
  fc.ipV6().map((address) => address.toLowerCase()),
);
const port = fc.integer({ min: 1, max: 65_535 });
const header = fc
  .tuple(fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/), fc.stringMatching(/^[ -~]{0,40}$/))
  .map(([name, value]) => `${name}: ${value}`);
const headOf = (name: string, at: number, headers: readonly string[]): string =>
  [`CONNECT ${name.includes(":") ? `[${name}]` : name}:${at} HTTP/1.1`, ...headers, "", ""].join("\r\n");

test("a request is read with any headers, whole only, and what follows it is the tunnel's", () => {
  fc.assert(
    fc.property(
      host,
      port,
      fc.array(header, { maxLength: 6 }),
      fc.uint8Array({ maxLength: 40 }),
      (name, at, hs, rest) => {
        const head = headOf(name, at, hs);
        const found = readConnect(Buffer.concat([Buffer.from(head, "latin1"), rest]));
        assert.ok(found.kind === "connect");
        assert.deepEqual(found.target, { host: name, port: at });
        assert.deepEqual(Buffer.from(found.rest), Buffer.from(rest));
        for (let length = 0; length < head.length; length += 7)
          assert.equal(read(head.slice(0, length)).kind, "incomplete");
      },
    ),
  );
});

test("whatever the bytes, they are a request, refused, or not whole", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.string().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        const found = readConnect(bytes);
        assert.notEqual(found.kind, "connect");
        if (bytes.byteLength === MAX_HEAD_BYTES) assert.equal(found.kind, "refused");
      },
    ),
  );
});

test("names count without their case, and addresses without brackets", () => {
  const found = [
    read("CONNECT API.Example.com:443 HTTP/1.1\r\n\r\n"),
    read("CONNECT [2001:DB8::1]:443 HTTP/1.1\r\n\r\n"),
  ];
  assert.deepEqual(
    found.map((one) => one.kind === "connect" && one.target),
    [
      { host: "api.example.com", port: 443 },
      { host: "2001:db8::1", port: 443 },
    ],
  );
});

test("other methods and forms are refused, and so is a head that has no end", () => {
  const refusals: Readonly<Record<string, number>> = {
    "GET https://api.example.com/ HTTP/1.1\r\n\r\n": 405,
    "POST http://api.example.com/ HTTP/1.1\r\nhost: x\r\n\r\n": 405,
    "CONNECT api.example.com HTTP/1.1\r\n\r\n": 400,
    "CONNECT api.example.com:0 HTTP/1.1\r\n\r\n": 400,
    "CONNECT api.example.com:65536 HTTP/1.1\r\n\r\n": 400,
    "CONNECT api.example.com:443 HTTP/1.0\r\n\r\n": 400,
    "CONNECT  api.example.com:443 HTTP/1.1\r\n\r\n": 400,
    "CONNECT me@api.example.com:443 HTTP/1.1\r\n\r\n": 400,
    "CONNECT https://api.example.com:443 HTTP/1.1\r\n\r\n": 400,
    "CONNECT api.example.com:443 HTTP/1.1\r\nno header\r\n\r\n": 400,
    "CONNECT api.example.com:443 HTTP/1.1\r\nx: a\nb\r\n\r\n": 400,
    "connect api.example.com:443 HTTP/1.1\r\n\r\n": 400,
    "\x16\x03\x01 a TLS hello": 400,
    "\r\n\r\n": 400,
    [`CONNECT api.example.com:443 HTTP/1.1\r\nx: ${"y".repeat(MAX_HEAD_BYTES)}`]: 431,
  };
  for (const [text, status] of Object.entries(refusals))
    assert.deepEqual(read(text), { kind: "refused", status }, text.slice(0, 80));
});
