import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthorizationAnswer } from "@cedar-policy/cedar-wasm/nodejs";
import { PERMIT_ALL, call, compile, schemaText } from "../test-support.ts";
import { Answers } from "./answers.ts";

/** Answers kept at most, and characters of what they answer. */
const MAX_ANSWERS = 4_096;
const MAX_ANSWERS_TEXT = 4_194_304;

const answer = (decision: "allow" | "deny"): AuthorizationAnswer => ({
  type: "success",
  response: { decision, diagnostics: { reason: [], errors: [] } },
  warnings: [],
});

void test("an answer is that of the request it was given to", () => {
  const answers = new Answers();
  answers.keep("a", answer("allow"));
  answers.keep("b", answer("deny"));
  assert.deepEqual(
    [answers.get("a"), answers.get("b"), answers.get("c")],
    [answer("allow"), answer("deny"), undefined],
  );
  answers.clear();
  assert.equal(answers.get("a"), undefined);
});

void test("what is oldest gives way once there are too many, or their text is too long", () => {
  const many = new Answers();
  for (let index = 0; index <= MAX_ANSWERS; index += 1) many.keep(`${index}`, answer("allow"));
  assert.deepEqual(
    [many.get("0"), many.get("1") !== undefined, many.get(`${MAX_ANSWERS}`) !== undefined],
    [undefined, true, true],
  );

  const long = new Answers();
  const half = MAX_ANSWERS_TEXT / 2;
  for (const letter of ["a", "b", "c"]) long.keep(letter.repeat(half), answer("allow"));
  assert.deepEqual(
    ["a", "b", "c"].map((letter) => long.get(letter.repeat(half)) !== undefined),
    [false, true, true],
  );
  long.keep("d".repeat(MAX_ANSWERS_TEXT + 1), answer("allow"));
  assert.equal(long.get("d".repeat(MAX_ANSWERS_TEXT + 1)), undefined);
  assert.notEqual(long.get("c".repeat(half)), undefined, "what is too long by itself moves nothing out");
});

void test("a decision follows every attribute a rule reads, however often it was made before", async () => {
  const without = (path: string): string =>
    `${PERMIT_ALL} forbid (principal, action, resource) when { context.session_max_sensitivity == "hipaa_phi" || (context.arguments has path && context.arguments.path == "${path}") };`;
  const policy = await compile(without("/etc"), schemaText("path?: String"));
  const other = await compile(without("/tmp"), schemaText("path?: String"));
  for (let round = 0; round < 3; round += 1) {
    assert.equal(policy.decide(call({ path: "/tmp" })).decision, "allow");
    assert.equal(policy.decide(call({ path: "/etc" })).decision, "deny");
    assert.equal(policy.decide({ ...call({ path: "/tmp" }), sessionMaxSensitivity: "hipaa_phi" }).decision, "deny");
    assert.deepEqual(
      ["/tmp", "/etc"].map((path) => other.decide(call({ path })).decision),
      ["deny", "allow"],
      "another bundle answers for itself",
    );
  }
});

void test("a verdict names the rules of the bundle that was asked, whoever was answered the same before", async () => {
  const labelled = (id: string): string => `@id("${id}") ${PERMIT_ALL}`;
  const [first, second] = [await compile(labelled("first")), await compile(labelled("second"))];
  for (let round = 0; round < 3; round += 1)
    assert.deepEqual(
      [first, second].map((policy) => policy.decide(call()).rule),
      ["first", "second"],
    );
  const verdict = first.decide(call());
  assert.equal(first.decide(call()), verdict, "it is made once");
});
