/** The engine's own checks, under projections that claim something else than the schema says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SchemaJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { CompilePlan } from "../compile/plan.ts";
import type { PlannedAttribute } from "../schema/projection.ts";
import { PERMIT_ALL, call } from "../test-support.ts";
import { decideWith } from "./decide.ts";
import { loadEngine } from "./engine.ts";

function plan(principalType: string, argument: PlannedAttribute): CompilePlan {
  const schema: SchemaJson<string> = {
    cMCP: {
      entityTypes: { Principal: {}, Other: {}, Resource: {} },
      actions: {
        call_tool: {
          appliesTo: {
            principalTypes: [principalType],
            resourceTypes: ["Resource"],
            context: {
              type: "Record",
              attributes: { arguments: { type: "Record", attributes: { path: { type: "String", required: false } } } },
            },
          },
        },
      },
    },
  };
  return {
    shape: "call_tool",
    warnings: [],
    reads: new Set(),
    decidesDelivery: false,
    schema,
    policies: { p: PERMIT_ALL },
    rules: new Map([
      [
        "p",
        {
          label: "p",
          effect: "permit",
          reason: null,
          advice: null,
          redactFields: [],
          keepFields: [],
          readsSensitivity: false,
        },
      ],
    ]),
    projection: {
      principal: [],
      resources: new Map([["cMCP::Resource", []]]),
      contexts: new Map([["call_tool", { facts: [], arguments: [argument] }]]),
    },
    scopes: { general: ["p"], byAction: new Map(), byResource: new Map() },
  };
}

const AS_TEXT: PlannedAttribute = { name: "path", required: false, type: { kind: "String" } };
const AS_NUMBER: PlannedAttribute = { name: "path", required: false, type: { kind: "Long" } };

void test("an engine that is not loaded denies, and does not stay that way", async () => {
  assert.equal(decideWith(plan("Principal", AS_TEXT), call({ path: "a" })).rule, "engine-failure");
  await loadEngine();
  assert.equal(decideWith(plan("Principal", AS_TEXT), call({ path: "a" })).decision, "allow");
});

void test("a request that fits the schema is decided", () => {
  assert.equal(decideWith(plan("Principal", AS_TEXT), call({ path: "a" })).decision, "allow");
});

void test("a request the schema's action does not apply to is denied", () => {
  const verdict = decideWith(plan("Other", AS_TEXT), call({ path: "a" }));
  assert.deepEqual([verdict.decision, verdict.cause], ["deny", "request-invalid"]);
});

void test("a context the schema does not describe is denied", () => {
  const verdict = decideWith(plan("Principal", AS_NUMBER), call({ path: 5 }));
  assert.deepEqual([verdict.decision, verdict.cause], ["deny", "request-invalid"]);
});

void test("a plan the engine does not take denies", () => {
  const broken = { ...plan("Principal", AS_TEXT), policies: { p: "permit (" } };
  assert.equal(decideWith(broken, call({ path: "a" })).rule, "engine-failure");
  assert.equal(decideWith(plan("Principal", AS_TEXT), call({ path: "a" })).decision, "allow");
});
