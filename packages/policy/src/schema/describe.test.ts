import assert from "node:assert/strict";
import { test } from "node:test";
import { describeSchema, type SchemaDescription } from "./describe.ts";
import { parseSchema } from "./parse.ts";

const described = (text: string): SchemaDescription => {
  const parsed = parseSchema(text);
  return parsed.ok ? describeSchema(parsed.schema) : assert.fail(parsed.why);
};

test("a schema is its entities, its actions and their attributes, by full name", () => {
  const { namespaces, entities, actions } = described(`
    namespace cMCP {
      type Options = { mode: String, depth?: Long };
      entity Principal;
      entity Resource = { name: String, tags?: Set<String>, owner: Principal, at: ipaddr };
      action call appliesTo { principal: Principal, resource: [Resource, Principal], context: { options: Options, ok: Bool } };
      action idle;
    }
    entity Bare;
  `);
  assert.deepEqual(namespaces.toSorted(), ["", "cMCP"]);
  assert.deepEqual([...entities.keys()].toSorted(), ["Bare", "cMCP::Principal", "cMCP::Resource"]);
  assert.deepEqual(entities.get("Bare"), new Map());
  assert.deepEqual(entities.get("cMCP::Resource")?.get("name"), { type: { kind: "String" }, required: true });
  assert.deepEqual(entities.get("cMCP::Resource")?.get("tags"), {
    type: { kind: "Set", element: { kind: "String" } },
    required: false,
  });
  assert.deepEqual(
    ["owner", "at"].map((name) => entities.get("cMCP::Resource")?.get(name)?.type.kind),
    ["other", "other"],
  );
  const call = actions.get("cMCP::Action::call");
  assert.deepEqual([call?.principals, call?.resources], [["cMCP::Principal"], ["cMCP::Resource", "cMCP::Principal"]]);
  assert.deepEqual(
    call?.context,
    new Map([
      [
        "options",
        {
          type: {
            kind: "Record",
            attributes: new Map([
              ["depth", { type: { kind: "Long" }, required: false }],
              ["mode", { type: { kind: "String" }, required: true }],
            ]),
          },
          required: true,
        },
      ],
      ["ok", { type: { kind: "Bool" }, required: true }],
    ]),
  );
  assert.deepEqual(actions.get("cMCP::Action::idle")?.context, new Map());
});

test("what is no part of a schema's form is passed over", () => {
  const odd = { cMCP: null, other: { entityTypes: { A: 1 }, actions: { b: null } } } as never;
  const { namespaces, entities, actions } = describeSchema(odd);
  assert.deepEqual(namespaces, ["cMCP", "other"]);
  assert.deepEqual([...entities], [["other::A", new Map()]]);
  assert.deepEqual(actions.get("other::Action::b"), { principals: [], resources: [], context: new Map() });
});
