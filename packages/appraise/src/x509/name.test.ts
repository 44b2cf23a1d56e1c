import assert from "node:assert/strict";
import { test } from "node:test";
import { readName } from "./name.ts";

const der = (tag: number, content: readonly number[]): number[] =>
  content.length < 128
    ? [tag, content.length, ...content]
    : [tag, 0x82, content.length >> 8, content.length & 0xff, ...content];
const attribute = (oid: readonly number[], text: string): number[] =>
  der(0x30, [...der(6, oid), ...der(0x0c, [...Buffer.from(text)])]);
const one = (oid: readonly number[], text: string): number[] => der(0x31, attribute(oid, text));
const read = (...sets: readonly (readonly number[])[]) => readName(Uint8Array.from(der(0x30, sets.flat())));
const COMMON_NAME = [0x55, 4, 3];

test("attributes are shown by their short names, in the order of the certificate", () => {
  const text = [3, 5, 6, 7, 8, 10, 11, 12].map((arc) => one([0x55, 4, arc], `v${arc}`));
  assert.equal(read(...text).text, "CN=v3, serialNumber=v5, C=v6, L=v7, ST=v8, O=v10, OU=v11, 2.5.4.12=v12");
  assert.equal(read(der(0x31, [...attribute(COMMON_NAME, "a"), ...attribute([0x55, 4, 10], "b")])).text, "CN=a, O=b");
  assert.equal(read().text, "");
});

test("there is one common name or none", () => {
  assert.equal(read(one([0x55, 4, 10], "o"), one(COMMON_NAME, "a")).commonName, "a");
  assert.equal(read(one([0x55, 4, 10], "o")).commonName, undefined);
  assert.equal(read(one(COMMON_NAME, "a"), one(COMMON_NAME, "b")).commonName, undefined);
});

test("a name has at most 32 attributes, each of a type and a text", () => {
  const many = (count: number): number[][] => Array.from({ length: count }, () => one(COMMON_NAME, "a"));
  assert.equal(read(...many(32)).text.split(", ").length, 32);
  assert.throws(() => read(...many(33)), { code: "EVIDENCE_MALFORMED", message: /too many attributes/ });
  assert.throws(() => read(der(0x31, der(0x30, [...der(6, COMMON_NAME), ...der(0x0c, [65]), ...der(5, [])]))), {
    code: "EVIDENCE_MALFORMED",
    message: /bytes too many/,
  });
});
