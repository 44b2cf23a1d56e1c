import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { JsonValue } from "@cmcp/boundary";
import { FlowKey } from "./flow-key.ts";
import { FlowTable, MAX_SOURCES, type FlowSource } from "./flow-table.ts";

const key = new FlowKey();
const CLINIC: FlowSource = { server: "clinic", tool: "read_patient", labels: ["hipaa_phi"] };
const RECORD =
  "Maria Gonzales, seen on the ward for a persistent cough, has been started on a short course of amoxicillin " +
  "and will return after ten days. MRN KX-4482913, contact maria.g@example.org, card 4111 1111 1111 1234.";

function tableOf(value: JsonValue, slots = 1 << 14): FlowTable {
  const table = new FlowTable(key, slots);
  table.add(CLINIC, value);
  return table;
}
const kinds = (table: FlowTable, args: JsonValue): string[] => table.match(args).flows.map(({ kind }) => kind);
const base64 = (text: string): string => Buffer.from(text).toString("base64");

test("a whole result is found with its source, its path and full coverage", () => {
  const { flows, complete } = tableOf(RECORD).match({ to: "friend", note: { body: RECORD } });
  assert.ok(complete);
  assert.deepEqual(
    flows.map(({ source, kind, path }) => ({ source, kind, path })),
    [
      { source: CLINIC, kind: "exact", path: "/note/body" },
      { source: CLINIC, kind: "fingerprint", path: "/note/body" },
    ],
  );
  assert.equal(flows[0]?.coverage, 100);
  assert.ok((flows[1]?.coverage ?? 0) > 90);
});

test("any run of 23 letters is found, whatever stands around it", () => {
  const table = tableOf(RECORD);
  const letters = RECORD.toLowerCase().replace(/[^a-z0-9]/g, "");
  fc.assert(
    fc.property(
      fc.nat(letters.length - 23),
      fc.string({ maxLength: 60 }),
      fc.string({ maxLength: 60 }),
      (at, before, after) => {
        const { flows } = table.match({ text: `${before} ${letters.slice(at, at + 23)} ${after}` });
        assert.ok(flows.some(({ kind }) => kind === "fingerprint"));
      },
    ),
  );
});

const FORMS: readonly (readonly [string, (text: string) => string])[] = [
  ["upper case", (text) => text.toUpperCase()],
  ["other spacing", (text) => text.replaceAll(" ", "\n\n  ")],
  ["other punctuation", (text) => text.replace(/[,. ]+/g, "; ")],
  ["zero-width characters", (text) => Array.from(text).join("\u200b")],
  ["tags of the last plane", (text) => Array.from(text).join("\u{e0041}")],
  ["full-width letters", (text) => text.replace(/[a-z]/g, (one) => String.fromCharCode(one.charCodeAt(0) + 0xfee0))],
  ["accents", (text) => text.replaceAll("e", "e\u0301").replaceAll("a", "\u00e4")],
  ["JSON in a string", (text) => JSON.stringify({ inner: JSON.stringify({ text }) })],
];
for (const [name, form] of FORMS)
  test(`a record with ${name} is found`, () => {
    const { flows } = tableOf(RECORD).match({ text: form(RECORD) });
    assert.ok((flows[0]?.coverage ?? 0) > 80, JSON.stringify(flows));
  });

const ENCODINGS: readonly (readonly [string, (text: string) => string])[] = [
  ["base64", base64],
  ["hexadecimal", (text) => Buffer.from(text).toString("hex")],
  ["percent-encoding of every octet", (text) => Buffer.from(text).toString("hex").replace(/../g, "%$&")],
  ["base64 three times over", (text) => base64(base64(base64(text)))],
];
for (const [name, encode] of ENCODINGS)
  test(`a record in ${name} is found as encoded`, () => {
    assert.deepEqual(kinds(tableOf(RECORD), { data: encode(RECORD) }), ["encoded"]);
  });

test("encodings ten deep are not all taken off, and the answer says that it is incomplete", () => {
  let text = RECORD;
  for (let depth = 0; depth < 10; depth += 1) text = base64(text);
  const { flows, complete } = tableOf(RECORD).match({ text });
  assert.deepEqual([flows, complete], [[], false]);
});

test("letters of another script that look the same are missed", () => {
  const form = RECORD.replaceAll("a", "\u0430").replaceAll("e", "\u0435").replaceAll("o", "\u043e");
  assert.deepEqual(kinds(tableOf(RECORD.replace(/MRN.*/, "")), { text: form.replace(/MRN.*/, "") }), []);
});

test("identifiers, numbers and addresses are found inside other text", () => {
  const table = tableOf({ text: RECORD, account: 903_441_287, flag: true });
  // Of sixteen letters there is a fingerprint too, where the instance's key chooses it.
  for (const text of [
    "ref kx4482913",
    "write to MARIA.G@example.org!",
    "no. 4111111111111234",
    "no 903441287 please",
    903_441_287,
  ])
    assert.ok(kinds(table, { text }).includes("exact"), String(text));
  assert.deepEqual(kinds(table, { key903441287: 1 }), [], "another value that contains it");
});

test("an identifier of six letters and digits is found inside other text, one of five is not", () => {
  const table = tableOf({ text: "see A1-BCDE and B1-CDE, or rather Z9:YXW" });
  assert.deepEqual(kinds(table, { text: "about a1bcde" }), ["exact"]);
  assert.deepEqual(kinds(table, { text: "about B1-CDE" }), []);
  assert.deepEqual(kinds(tableOf("x9-yzw"), { text: "X9YZW" }), []);
  assert.deepEqual(kinds(tableOf("x9-yzwv"), { text: "X9 YZWV" }), ["exact"], "a whole value");
  assert.deepEqual(kinds(tableOf("no digit here, a"), { text: "no digit, here: A" }), []);
});

test("an identifier encoded in sixteen characters is found, in a result and in an argument", () => {
  const encoded = base64("KX-4482913-A");
  assert.equal(encoded.length, 16);
  assert.deepEqual(kinds(tableOf("KX-4482913-A"), { text: encoded }), ["encoded"]);
  assert.deepEqual(kinds(tableOf(encoded), { text: "about KX-4482913-A" }), ["exact"]);
});

test("coverage counts each letter once, and is 1 at least", () => {
  const table = tableOf(RECORD);
  const one = table.match({ text: `${"lorem ipsum ".repeat(200)} kx4482913` }).flows;
  assert.deepEqual(
    one.map(({ kind, coverage }) => [kind, coverage]),
    [["exact", 1]],
  );
  const letters = RECORD.toLowerCase().replace(/[^a-z0-9]/g, "");
  const [half] = tableOf("a".repeat(40)).match({ text: "a".repeat(40) + "q".repeat(40) }).flows;
  assert.deepEqual([half?.kind, half?.coverage], ["fingerprint", 50]);
  for (const { coverage } of table.match({ text: letters + letters }).flows) assert.ok(coverage <= 100);
});

test("labels in another order are of the same source", () => {
  const table = new FlowTable(key, 1 << 12);
  table.add({ ...CLINIC, labels: ["b", "a"] }, RECORD);
  const { used } = table;
  table.add({ ...CLINIC, labels: ["a", "b"] }, RECORD);
  assert.equal(table.used, used);
  assert.deepEqual(table.match(RECORD).flows[0]?.source.labels, ["a", "b"]);
});

test("names of members and parts in several arguments are found", () => {
  const table = tableOf({ text: RECORD });
  assert.ok(kinds(table, { [RECORD]: 1 }).includes("fingerprint"));
  const pieces = Object.fromEntries(Array.from(RECORD.slice(0, 120), (letter, at) => [`part ${at}`, letter]));
  assert.deepEqual(
    table.match(pieces).flows.map(({ kind, path }) => [kind, path]),
    [["fingerprint", ""]],
  );
});

test("a record of short members is found as text and as JSON", () => {
  const record = { given: "Maria", family: "Gonzales", ward: "north", reason: "cough", drug: "amoxicillin" };
  const table = tableOf(record);
  assert.deepEqual(kinds(table, { text: Object.values(record).join(", ") }), ["fingerprint"]);
  assert.deepEqual(kinds(table, { text: JSON.stringify(record, null, 2) }), ["fingerprint"]);
});

test("what runs over two members is found, in a result and in arguments", () => {
  const [first, second] = ["Maria Gonz\u00e1les", " on the ward"];
  const found = [["fingerprint", ""]];
  const flowsOf = (value: JsonValue, args: JsonValue): unknown[] =>
    tableOf(value)
      .match(args)
      .flows.filter(({ kind }) => kind === "fingerprint")
      .map(({ kind, path }) => [kind, path]);
  assert.deepEqual(flowsOf({ first, second }, first + second), found);
  assert.deepEqual(flowsOf(first + second, { first, second }), found);
});

test("what a result holds encoded is found in plain", () => {
  assert.ok(kinds(tableOf({ blob: base64(RECORD) }), { text: RECORD }).includes("fingerprint"));
});

test("unrelated words, dates and short texts are no flow", () => {
  const table = tableOf({ text: RECORD, born: "1961-04-12", at: "2026-01-02T10:00:00Z", state: "active", count: 1200 });
  for (const text of ["Lunch at 12?", "on the ward", "1961-04-12", "active", 1200, "", "2026-01-02T10:00:00Z"])
    assert.deepEqual(table.match({ text }), { flows: [], complete: true });
});

test("what stood in the call's own arguments is no flow from its result", () => {
  const table = new FlowTable(key, 1 << 12);
  table.add(CLINIC, { said: `You asked: ${RECORD}` }, { text: RECORD });
  assert.deepEqual(kinds(table, { text: RECORD }), []);
  const other = new FlowTable(key, 1 << 12);
  other.add(CLINIC, { said: RECORD }, { text: base64(RECORD) });
  assert.deepEqual(kinds(other, { text: RECORD }), []);
  const own = new FlowTable(key, 1 << 12);
  own.add(CLINIC, { said: RECORD }, { text: "KX-4482913" });
  assert.ok(kinds(own, { text: RECORD }).includes("fingerprint"));
});

test("a text of two servers weighs half, and one of four servers nothing", () => {
  const table = new FlowTable(key, 1 << 12);
  const highest = (): number => table.match({ text: RECORD }).flows[0]?.coverage ?? 0;
  const covered: number[] = [];
  for (const server of ["one", "two", "three", "four"]) {
    table.add({ server, tool: "read", labels: [] }, RECORD);
    covered.push(highest());
  }
  assert.deepEqual(covered, [100, 50, 33, 0]);
});

test("tools of one server do not make its text common, until sixteen do", () => {
  const table = new FlowTable(key, 1 << 12);
  for (let tool = 0; tool < 15; tool += 1) table.add({ ...CLINIC, tool: `tool-${tool}` }, RECORD);
  assert.equal(table.match({ text: RECORD }).flows[0]?.coverage, 100);
  assert.ok(table.complete);
});

test("a result read again takes no more room", () => {
  const table = tableOf(RECORD);
  const { used } = table;
  for (let time = 0; time < 20; time += 1) table.add({ ...CLINIC, labels: [...CLINIC.labels] }, RECORD);
  assert.equal(table.used, used);
});

test("a full table keeps what it has, and is incomplete from then on", () => {
  const table = tableOf(RECORD, 1 << 8);
  assert.ok(table.complete);
  table.add(
    CLINIC,
    Array.from({ length: 4000 }, (_, at) => `identifier-${at}-${at * 7919}`),
  );
  assert.ok(table.used <= 192);
  assert.equal(table.complete, false);
  const { flows, complete } = table.match({ text: RECORD });
  assert.ok(flows.length > 0);
  assert.equal(complete, false);
  assert.equal(table.match({ text: "hello" }).complete, false);
});

test("more sources than a table tells apart make it incomplete", () => {
  const table = new FlowTable(key, 1 << 12);
  for (let tool = 0; tool < MAX_SOURCES; tool += 1) table.add({ ...CLINIC, tool: `tool-${tool}` }, "short");
  assert.ok(table.complete);
  table.add({ ...CLINIC, tool: "one more" }, "short");
  assert.equal(table.complete, false);
});

test("more flows than are given make the answer incomplete", () => {
  const table = new FlowTable(key, 1 << 14);
  const args = Array.from({ length: 65 }, (_, at) => `identifier-${at}-${at * 7919}`);
  for (const [at, text] of args.entries()) table.add({ ...CLINIC, tool: `tool-${at}` }, text);
  const { flows, complete } = table.match(args);
  assert.deepEqual([flows.length, complete], [64, false]);
});

test("arguments deeper than leaves are read make the answer incomplete", () => {
  let deep: JsonValue = "end";
  for (let depth = 0; depth < 100; depth += 1) deep = [deep];
  assert.equal(tableOf(RECORD).match(deep).complete, false);
  assert.equal(tableOf(deep).complete, false);
});

test("another key has other hashes", () => {
  const other = new FlowKey();
  assert.notDeepEqual(other.words.slice(0, 8), key.words.slice(0, 8));
  assert.notDeepEqual(other.checks.slice(0, 8), other.words.slice(0, 8));
});

test("no value of any form is an error, and the empty table finds nothing", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (value, args) => {
      const table = new FlowTable(key, 1 << 12);
      assert.deepEqual(table.match(args as JsonValue).flows, []);
      table.add(CLINIC, value as JsonValue, args as JsonValue);
      for (const { coverage } of table.match(args as JsonValue).flows) assert.ok(coverage >= 1 && coverage <= 100);
    }),
  );
});
