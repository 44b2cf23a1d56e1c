/** What could be allowed with some arguments, held against what is allowed with them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import * as fc from "fast-check";
import { PERMIT_ALL, call, compile, schemaText } from "../test-support.ts";

const SCHEMA = schemaText("path?: String, size?: Long, force?: Bool, tags?: Set<String>");
const couldAllow = async (rules: string, facts = call()): Promise<boolean> =>
  (await compile(rules, SCHEMA)).couldAllow(facts);

void test("what only arguments settle could be allowed, whichever way the rule says it", async () => {
  assert.equal(
    await couldAllow(`${PERMIT_ALL} forbid (principal, action, resource) unless { context.arguments has path };`),
    true,
  );
  assert.equal(
    await couldAllow(
      "permit (principal, action, resource) when { context.arguments has size && context.arguments.size < 10 };",
    ),
    true,
  );
  assert.equal(
    await couldAllow(
      `${PERMIT_ALL} forbid (principal, action, resource) when { !(context.arguments has path && context.arguments.path like "/tmp/*") };`,
    ),
    true,
  );
});

void test("what no argument changes could not", async () => {
  assert.equal(
    await couldAllow("forbid (principal, action, resource) unless { context.arguments has path };"),
    false,
    "nothing permits it",
  );
  assert.equal(
    await couldAllow(
      `${PERMIT_ALL} forbid (principal, action, resource); forbid (principal, action, resource) unless { context.arguments has path };`,
    ),
    false,
  );
  const seen = `${PERMIT_ALL} forbid (principal, action, resource) when { context.session_max_sensitivity == "pii" }; forbid (principal, action, resource) unless { context.arguments has path };`;
  assert.equal(await couldAllow(seen, call({}, { sessionMaxSensitivity: "pii" })), false);
  assert.equal(await couldAllow(seen), true);
});

void test("what follows from the arguments is as unknown as they are", async () => {
  for (const rule of [
    'permit (principal, action, resource) when { context.argument_hosts.contains("a.example") };',
    'permit (principal, action, resource) when { context.argument_common_path like "/srv/*" };',
  ])
    assert.equal((await compile(rule)).couldAllow(call()), true, rule);
  const never =
    'permit (principal, action, resource) when { context.channel == "x" && context.argument_path_escapes };';
  assert.equal((await compile(never)).couldAllow(call()), false);
});

void test("rules that do not look at arguments, and more rules than may be, are not evaluated so", async () => {
  assert.equal(await couldAllow(PERMIT_ALL), false);
  const looking = "forbid (principal, action, resource) unless { context.arguments has path };";
  assert.equal(await couldAllow(PERMIT_ALL + looking.repeat(63)), true);
  assert.equal(await couldAllow(PERMIT_ALL + looking.repeat(64)), false);
});

void test("another session's facts are another question", async () => {
  const policy = await compile(
    `${PERMIT_ALL} forbid (principal, action, resource) when { context.session_max_sensitivity == "pii" }; forbid (principal, action, resource) unless { context.arguments has path };`,
    SCHEMA,
  );
  let looks = 0;
  const asked = ["public", "pii", "public"].map((label) =>
    policy.couldAllow(call({}, { sessionMaxSensitivity: label }), () => void (looks += 1)),
  );
  assert.deepEqual(asked, [true, false, true]);
  assert.equal(looks, 2, "the engine is not asked the same again");
});

const condition: fc.Arbitrary<string> = fc.letrec<{ all: string }>((tie) => ({
  all: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(
      "context.arguments has path",
      '(context.arguments has path && context.arguments.path == "a")',
      '(context.arguments has path && context.arguments.path like "a*")',
      "(context.arguments has size && context.arguments.size + 1 > 3)",
      "(context.arguments has size && context.arguments.size * 9223372036854775807 > 3)",
      "(context.arguments has force && context.arguments.force)",
      '(context.arguments has tags && context.arguments.tags.contains("x"))',
      'context.session_max_sensitivity == "public"',
      "true",
      "false",
    ),
    tie("all").map((inner) => `!(${inner})`),
    fc
      .tuple(tie("all"), fc.constantFrom("&&", "||"), tie("all"))
      .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
    fc.tuple(tie("all"), tie("all"), tie("all")).map(([test_, yes, no]) => `(if ${test_} then ${yes} else ${no})`),
  ),
})).all;
const rule = fc
  .tuple(fc.constantFrom("permit", "forbid"), fc.constantFrom("when", "unless"), condition)
  .map(([effect, word, when]) => `${effect} (principal, action, resource) ${word} { ${when} };`);
const args: fc.Arbitrary<JsonObject> = fc.record(
  {
    path: fc.constantFrom("a", "ab", "b"),
    size: fc.constantFrom(0, 3, 9_007_199_254_740_991),
    force: fc.boolean(),
    tags: fc.constantFrom([], ["x"]),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<JsonObject>;

void test("nothing that some arguments get allowed is missed, and no rule breaks the engine", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(rule, { minLength: 1, maxLength: 4 }),
      fc.array(args, { minLength: 1, maxLength: 6 }),
      async (rules, tried) => {
        const policy = await compile(rules.join("\n"), SCHEMA);
        const without = policy.decide(call()).decision === "allow";
        const shown = without || policy.couldAllow(call());
        const looks = rules.some((text) => text.includes("arguments"));
        for (const one of tried)
          if (looks && policy.decide(call(one)).decision === "allow") assert.ok(shown, rules.join("\n"));
        assert.notEqual(policy.decide(call()).cause, "fault");
      },
    ),
    { numRuns: 12 },
  );
});
