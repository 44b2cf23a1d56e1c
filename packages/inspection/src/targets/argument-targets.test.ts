import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import * as fc from "fast-check";
import { argumentTargets, type ArgumentTargets } from "./argument-targets.ts";

/** Processor time far above what all these texts take; a reading that is not linear takes minutes. */
const MOST_MS = 5_000;

const OPEN = { inputSchema: { type: "object" } };
const read = (args: JsonObject, inputSchema: JsonObject = OPEN.inputSchema): ArgumentTargets =>
  argumentTargets({ inputSchema }, args);

test("what looks like a path or URL is one, and other text is not", () => {
  for (const path of [
    "/etc/passwd",
    "../x",
    "..\\x",
    "C:\\x",
    "~/x",
    "$HOME/x",
    "a/../b",
    "a;/..;/b",
    "%2fetc",
    "..%2fx",
    ".",
  ])
    assert.equal(read({ text: path }).paths.length, 1, path);
  for (const url of ["http://x/", "FILE:///x", "s3://b/k", "http:x", " \thttps://x", "http%3A%2F%2Fx%2F", "http:\\\\x"])
    assert.equal(read({ text: url }).urls.length, 1, url);
  for (const text of [
    "Lunch at 12?",
    "and/or",
    "text/plain",
    "12/25/2025",
    "file: see below",
    "a: b",
    "",
    "...",
    "50%",
  ])
    assert.deepEqual(read({ text }), read({}), text);
});

test("a declared path or URL need not look like one", () => {
  const property = (name: string, schema: JsonObject): JsonObject => ({
    type: "object",
    properties: { [name]: schema },
  });
  const intranet = read({ u: "intranet/x" }, property("u", { type: "string", format: "uri" }));
  assert.deepEqual([intranet.hosts, intranet.pathEscapes], [["intranet"], false]);
  assert.deepEqual(read({ u: "docs/x?q" }, property("u", { type: "string", format: "uri-reference" })).paths, [
    "docs/x",
  ]);
  assert.deepEqual(read({ u: "//h/x" }, property("u", { type: "string", format: "uri-reference" })).hosts, ["h"]);
  const kinds = new Map([["file", "path"]] as const);
  assert.deepEqual(argumentTargets({ ...OPEN, argumentKinds: kinds }, { file: ["etc/passwd"] }).paths, ["etc/passwd"]);
  assert.deepEqual(argumentTargets({ ...OPEN, argumentKinds: kinds }, { file: "file:///x" }).paths, ["/x"]);
});

test("formats count at every level of a schema, behind references and in each alternative", () => {
  const uri = { type: "string", format: "uri" };
  const cases: readonly (readonly [JsonObject, JsonObject])[] = [
    [{ properties: { a: { items: uri } } }, { a: ["h/x"] }],
    [{ properties: { a: { properties: { b: uri } } } }, { a: { b: "h/x" } }],
    [{ properties: { a: { $ref: "#/$defs/u" } }, $defs: { u: uri } }, { a: "h/x" }],
    [{ properties: { a: { anyOf: [{ type: "integer" }, uri] } } }, { a: "h/x" }],
    [{ additionalProperties: uri }, { a: "h/x" }],
    [{ patternProperties: { "^a": uri } }, { a: "h/x" }],
    [{ properties: { a: { prefixItems: [uri] } } }, { a: ["h/x"] }],
  ];
  for (const [schema, args] of cases) assert.deepEqual(read(args, schema).hosts, ["h"], JSON.stringify(schema));
  const itself = { properties: { a: { $ref: "#" } } };
  assert.deepEqual(read({ a: { a: "h/x" } }, itself).hosts, []);
});

test("rules see what was written and what it means", () => {
  const { urls, schemes, paths, commonPath } = read({ a: "HTTP://0x7f.1/x", b: ["/srv/a/1", { c: "/srv/a/2" }] });
  assert.deepEqual(urls, [
    {
      argument: "a",
      raw: "HTTP://0x7f.1/x",
      url: "http://127.0.0.1/x",
      scheme: "http",
      host: "127.0.0.1",
      port: 80,
      path: "/x",
    },
  ]);
  assert.deepEqual([schemes, paths, commonPath], [["http"], ["/srv/a/1", "/srv/a/2"], "/srv/a"]);
});

test("what could not be read is in no list of what is allowed", () => {
  for (const args of [
    { a: "http://a b/" },
    { a: `/${"x".repeat(2_048)}` },
    { a: `http%3A%2F%2F${"x".repeat(2_048)}` },
    { a: Array.from({ length: 65 }, (_, index) => `/p/${index}`) },
    { a: Array.from({ length: 4_097 }, () => 1) },
  ]) {
    const { hosts, paths, schemes, commonPath, complete } = read(args);
    assert.deepEqual([complete, commonPath], [false, ""]);
    for (const set of [hosts, paths, schemes]) assert.ok(set.includes(""));
  }
  let deep: JsonObject | string = "/x";
  for (let depth = 0; depth < 40; depth += 1) deep = { d: deep };
  assert.equal(read({ deep }).complete, false);
});

test("a network path names its host", () => {
  assert.deepEqual(read({ a: "\\\\evil.example\\share" }).hosts, ["evil.example"]);
  assert.deepEqual(read({ a: "//169.254.43518/x" }).hosts, ["169.254.169.254"]);
});

test("long texts take time in proportion to their length", () => {
  const start = process.cpuUsage();
  for (const unit of [" ", ".", "%", "%25", "../", "/", "\\", ":", "~", "\uFF0E"]) {
    for (const text of [`${unit.repeat(300_000)}x`, `http://${unit.repeat(600)}x`, `/${unit.repeat(600)}x`])
      read({ a: [text, `x${text}`] });
  }
  const { user, system } = process.cpuUsage(start);
  assert.ok((user + system) / 1000 < MOST_MS);
});

test("any arguments are read without an error", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (args) => {
      const { complete, hosts, paths } = read(args as JsonObject);
      assert.ok(complete || (hosts.includes("") && paths.includes("")));
    }),
  );
});
