import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { document, entry, LEDGER, named, server } from "../test-support.ts";
import { diffCatalogs } from "./diff.ts";

const NOTE = entry("note.post");
const kinds = (before: JsonObject[], after: JsonObject[]): string[] =>
  diffCatalogs(before, after).map(({ section, name, change }) => `${change} ${section} ${name}`);

test("a catalog differs from itself in nothing, whatever the order of its entries", () => {
  assert.deepEqual(diffCatalogs([LEDGER, NOTE], [NOTE, LEDGER]), []);
  assert.deepEqual(diffCatalogs([LEDGER], { entries: [LEDGER] }), []);
});

test("entries are added, removed and changed by their names", () => {
  assert.deepEqual(kinds([LEDGER], [LEDGER, NOTE]), ["added tools note.post"]);
  assert.deepEqual(kinds([LEDGER, NOTE], [NOTE]), ["removed tools ledger.read"]);
  assert.deepEqual(kinds([NOTE], [{ ...NOTE, approved_by: "other@bank.example" }]), ["changed tools note.post"]);
});

test("each changed value says what it is about, and how it was and is", () => {
  const [change] = diffCatalogs(
    [NOTE],
    [
      {
        ...NOTE,
        sensitivity_level: "public",
        approved_definition: { ...(NOTE.approved_definition as JsonObject), description: "Posts\u200b a note." },
        server: server({ url: "https://other.bank.example/mcp", integrity: "trusted" }),
        added_at: "2026-11-01T08:30:00Z",
      },
    ],
  );
  assert.deepEqual(
    change?.values.map(({ part, path, before, after }) => [part, path, before, after]),
    [
      ["other", "added_at", '"2026-10-01T08:30:00Z"', '"2026-11-01T08:30:00Z"'],
      ["definition", "approved_definition.description", '"Posts a note."', '"Posts\u200b a note."'],
      ["labels", "sensitivity_level", '"confidential"', '"public"'],
      ["labels", "server.integrity", null, '"trusted"'],
      ["trust", "server.url", '"https://ledger.bank.example:8443/mcp"', '"https://other.bank.example/mcp"'],
    ],
  );
});

test("named servers are compared too: another key or credential is a change of trust", () => {
  const changes = diffCatalogs(
    document({ servers: [named("ledger")] }),
    document({ servers: [named("ledger", { credential: "token" })] }),
  );
  assert.deepEqual(
    changes.map(({ section, name, change, values }) => [
      section,
      name,
      change,
      values.map(({ part, path }) => `${part} ${path}`),
    ]),
    [["servers", "ledger", "changed", ["trust credential"]]],
  );
});

test("what a stdio server may reach is shown whole, as a change of trust", () => {
  const catalog = (egress: JsonObject[]): JsonValue => ({
    entries: [],
    servers: [{ name: "s", transport: "stdio", spawn: { command: "/srv/s", egress } }],
  });
  const [change] = diffCatalogs(catalog([]), catalog([{ host: "api.example", port: 443 }]));
  assert.deepEqual(change?.values, [
    { part: "trust", path: "spawn.egress", before: "[]", after: '[{"host":"api.example","port":443}]' },
  ]);
});

test("two catalogs differ exactly where their entries do, and the other way round alike", () => {
  const value = fc.jsonValue({ maxDepth: 3 }).map((json) => JSON.parse(JSON.stringify(json)) as JsonObject);
  const catalog = fc.uniqueArray(fc.record({ tool_name: fc.constantFrom("a", "b", "c"), x: value, y: value }), {
    selector: ({ tool_name }) => tool_name,
  });
  fc.assert(
    fc.property(catalog, catalog, (before, after) => {
      const there = diffCatalogs(before, after);
      const back = diffCatalogs(after, before);
      assert.deepEqual(
        there.map(({ name, values }) => [name, values.map(({ path, before: was, after: is }) => [path, was, is])]),
        back.map(({ name, values }) => [name, values.map(({ path, before: was, after: is }) => [path, is, was])]),
      );
    }),
  );
});
