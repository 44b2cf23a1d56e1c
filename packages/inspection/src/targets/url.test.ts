import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { normaliseHost } from "./host.ts";
import { normaliseUrl, withoutIgnored } from "./url.ts";

/** The metadata address of clouds, written in each way that a resolver or a URL parser takes for it. */
const METADATA = [
  "169.254.169.254",
  "169.254.169.254.",
  "0xa9fea9fe..",
  "2852039166",
  "0xA9FEA9FE",
  "0xa9.0xfe.0xa9.0xfe",
  "0251.0376.0251.0376",
  "0251.254.0xa9.254",
  "169.254.43518",
  "169.16689662",
  "[::ffff:169.254.169.254]",
  "[::ffff:a9fe:a9fe]",
  "[0:0:0:0:0:ffff:a9fe:a9fe]",
  "[::169.254.169.254]",
  "[64:ff9b::169.254.169.254]",
  "[::ffff:0:169.254.169.254]",
  "%31%36%39.254.169.254",
  "\u2460\u2465\u2468.\u2461\u2464\u2463.\u2460\u2465\u2468.\u2461\u2464\u2463",
  "169\u3002254\u3002169\u3002254",
];

test("every form of one address is one host", () => {
  for (const host of METADATA) {
    assert.equal(normaliseHost(host), "169.254.169.254", host);
    for (const scheme of ["http", "HTTPS", "ftp", "gopher"])
      assert.equal(normaliseUrl(`${scheme}://${host}/x`).host, "169.254.169.254", `${scheme}://${host}`);
    assert.equal(normaliseUrl(`http://good.example@${host}:8080/`).host, "169.254.169.254", host);
  }
});

test("what stands around a URL is no part of it, and what is printed is", () => {
  for (const raw of [" http://h/x", "\u001fhttp://h/x", "http://h/x ", "http://h/x\u001f", "\0 \thttp://h/x\r\n \0"]) {
    assert.equal(withoutIgnored(raw), "http://h/x", JSON.stringify(raw));
    const { path, complete } = normaliseUrl(raw);
    assert.deepEqual([path, complete], ["/x", true], JSON.stringify(raw));
  }
  for (const printed of ["!http://h/x", "http://h/x!"]) assert.equal(withoutIgnored(printed), printed);
  for (const ignored of ["", " ", "\0\n "]) assert.equal(withoutIgnored(ignored), "");
  assert.equal(withoutIgnored("a \t b"), "a  b");
});

test("a port that is not written is that of the scheme, and none where the scheme has none", () => {
  for (const [scheme, port] of [
    ["http", 80],
    ["https", 443],
    ["ws", 80],
    ["wss", 443],
    ["ftp", 21],
    ["gopher", 0],
  ] as const) {
    assert.equal(normaliseUrl(`${scheme}://h.example/`).port, port, scheme);
    assert.equal(normaliseUrl(`${scheme}://h.example:8080/`).port, 8080, scheme);
  }
  assert.equal(normaliseUrl("file:///x").port, 0);
});

test("hosts have one spelling, and what is no host has none", () => {
  for (const [host, normal] of [
    ["EXAMPLE.com.", "example.com"],
    ["b\u00FCcher.example", "xn--bcher-kva.example"],
    ["[::1]", "::1"],
    ["[::]", "::"],
    ["[2001:DB8::1]", "2001:db8::1"],
    ["127.1", "127.0.0.1"],
    ["", null],
    ["a b", null],
    ["a:80", null],
    ["a/b", null],
    ["256.256.256.256", null],
    ["[fe80::1%25eth0]", null],
    ["...", null],
  ] as const)
    assert.equal(normaliseHost(host), normal, host);
});

test("a URL has one spelling", () => {
  const { url, scheme, host, port, path, complete } = normaliseUrl("HTTP://user:pw@EXAMPLE.com:80/a/../b%20c?q=1#f");
  assert.deepEqual(
    { url, scheme, host, port, path, complete },
    {
      url: "http://example.com/b%20c?q=1",
      scheme: "http",
      host: "example.com",
      port: 80,
      path: "/b c",
      complete: true,
    },
  );
});

test("a URL on whose host readers differ is incomplete, and has both hosts", () => {
  const backslash = normaliseUrl("http://good.example\\@evil.example/");
  assert.deepEqual(
    [backslash.host, backslash.otherHosts, backslash.complete],
    ["good.example", ["evil.example"], false],
  );
  for (const raw of ["http:/169.254.169.254/", "http:169.254.169.254", "http:\\\\169.254.169.254", "http://a@b@c/"])
    assert.equal(normaliseUrl(raw).complete, false, raw);
  for (const raw of ["http://a b/", "http://", "http://[::1", "http://x/%ff", `http://x/${"a".repeat(2_048)}`])
    assert.equal(normaliseUrl(raw).complete, false, raw.slice(0, 20));
});

test("of a URL that could not be read only the scheme is known", () => {
  for (const [raw, scheme] of [
    ["HTTP://a b/", "http"],
    ["gopher://256.256.256.256/", "gopher"],
    [`https://x/${"a".repeat(2_048)}`, "https"],
    ["no scheme", ""],
  ] as const)
    assert.deepEqual(
      normaliseUrl(raw),
      {
        url: "",
        scheme,
        host: "",
        port: 0,
        path: "",
        otherHosts: [],
        otherSchemes: [],
        escapes: false,
        complete: false,
      },
      raw.slice(0, 30),
    );
});

test("a URL inside a URL counts", () => {
  const { otherHosts, otherSchemes, complete } = normaliseUrl("jar:url:http://169.254.169.254!/x");
  assert.deepEqual([otherHosts, otherSchemes, complete], [["169.254.169.254"], ["url", "http"], true]);
  assert.equal(normaliseUrl(`${"url:".repeat(6)}http://x/`).complete, false);
});

test("a file URL gives the path that it opens", () => {
  for (const [raw, path] of [
    ["file:///etc/passwd", "/etc/passwd"],
    ["file:/etc/passwd", "/etc/passwd"],
    ["file://localhost/srv/%2e%2e/etc/passwd", "/etc/passwd"],
    ["file:///srv/..%2fetc/passwd", "/etc/passwd"],
    ["FILE:///C:/Data", "c:/Data"],
  ] as const)
    assert.deepEqual([normaliseUrl(raw).path, normaliseUrl(raw).complete], [path, true], raw);
});

test("a path above its start, and one in disguise, are marked", () => {
  for (const raw of ["https://x/../../y", "https://x/%2e%2e%2f..%2fy", "ht\ttp://x/", "https://x/a%00b"])
    assert.equal(normaliseUrl(raw).escapes, true, raw);
  for (const raw of ["https://x/a/../b", "https://x/projects/group%2Fname", "https://x/a%20b"])
    assert.equal(normaliseUrl(raw).escapes, false, raw);
});

const piece = fc.constantFrom(
  ..."http://,https:,file:,gopher://,//,/,\\,@,:,80,?,#,..,.,%2e,%2f,%25,%,x,example.com,[::1],0x7f.1,é,\t, ,url:,!/".split(
    ",",
  ),
);
const hostile = fc.oneof(
  fc.array(piece, { maxLength: 20 }).map((pieces) => `http://${pieces.join("")}`),
  fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join("")),
  fc.webUrl(),
);

test("a normal URL is its own normal form", () => {
  fc.assert(
    fc.property(hostile, (raw) => {
      const { url, scheme, host, port, path, complete } = normaliseUrl(raw);
      if (!complete || url === "") return;
      const again = normaliseUrl(url);
      assert.deepEqual([again.url, again.scheme, again.host, again.port, again.path], [url, scheme, host, port, path]);
    }),
    { numRuns: 3_000 },
  );
});
