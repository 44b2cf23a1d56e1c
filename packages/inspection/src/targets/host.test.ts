import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { normaliseHost } from "./host.ts";

const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));

test("an IPv4 address inside an IPv6 one stands alone, whichever prefix carries it", () => {
  fc.assert(
    fc.property(
      fc.oneof(octets, fc.constantFrom([0, 0, 0, 2], [0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 1])),
      fc.constantFrom("::ffff:", "::ffff:0:", "64:ff9b::", "::"),
      (address, prefix) => {
        const text = address.join(".");
        fc.pre(!["0.0.0.0", "0.0.0.1"].includes(text));
        assert.equal(normaliseHost(`[${prefix}${text}]`), text);
      },
    ),
  );
  for (const text of ["0.0.0.0", "0.0.0.1"])
    for (const prefix of ["::ffff:", "::ffff:0:"]) assert.equal(normaliseHost(`[${prefix}${text}]`), text);
});

test("an IPv6 address that carries none stands for itself, in its shortest form", () => {
  for (const [host, expected] of [
    ["[::]", "::"],
    ["[::1]", "::1"],
    ["[0:0:0:0:0:0:0:1]", "::1"],
    ["[2001:DB8::1]", "2001:db8::1"],
    ["[2001:db8:0:0:0:ffff:102:304]", "2001:db8::ffff:102:304"],
    ["[64:ff9b:1::102:304]", "64:ff9b:1::102:304"],
    ["[1:2:3:4:5:6:7:8]", "1:2:3:4:5:6:7:8"],
    ["[::fffe:1.2.3.4]", "::fffe:102:304"],
  ] as const)
    assert.equal(normaliseHost(host), expected, host);
});

test("a name is in lower case and punycode, without dots at its end, and a number is an address", () => {
  for (const [host, expected] of [
    ["A.Example", "a.example"],
    ["a.example..", "a.example"],
    ["b\u00fccher.example", "xn--bcher-kva.example"],
    ["0x7f.1", "127.0.0.1"],
    ["2130706433.", "127.0.0.1"],
    ["1.2.3.4.", "1.2.3.4"],
  ] as const)
    assert.equal(normaliseHost(host), expected, host);
});

test("what is no host is none", () => {
  for (const host of [
    "",
    ".",
    "..",
    "a b",
    "a/b",
    "a?b",
    "a#b",
    "u@b",
    "a\\b",
    "a:1",
    "[::1",
    "[::1]:80",
    "::1]",
    "[::g]",
    "1.2.3.256",
  ])
    assert.equal(normaliseHost(host), null, host);
});
