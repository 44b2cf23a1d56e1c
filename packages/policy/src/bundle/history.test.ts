import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bundleOf,
  call,
  catalogOf,
  MANIFEST,
  PERMIT_ALL,
  READ_FILE,
  schemaText,
  SEND_MAIL,
  WORKER,
} from "../test-support.ts";
import { compilePolicy } from "../compile/compile.ts";

const READS = { name: "reads", of: "calls", tool: "read_file", window_seconds: 60 } as const;
const manifest = (history: unknown) => JSON.parse(JSON.stringify({ ...MANIFEST, history }));
const RULE = `${PERMIT_ALL} @id("often") forbid (principal, action, resource) when { context.history.reads > 3 };`;
const compiled = async (history: unknown, rule = RULE, schema?: string) =>
  await compilePolicy(bundleOf(rule, schema, manifest(history)), catalogOf(READ_FILE, SEND_MAIL), {
    workerUrl: WORKER,
  });

test("a manifest declares what is counted, and is hashed with it", () => {
  const bundle = bundleOf(RULE, undefined, manifest([READS]));
  assert.deepEqual(bundle.history, [READS]);
  assert.notEqual(bundle.hash, bundleOf(RULE).hash);
  assert.deepEqual(bundleOf(RULE).history, []);
});

test("a declaration of another form is refused by its place", () => {
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [{}, /history/],
    [[{ ...READS, of: "sums" }], /history\.0\.of/],
    [[{ ...READS, name: "Reads" }], /history\.0\.name/],
    [[{ ...READS, window_seconds: 0 }], /history\.0\.window_seconds/],
    [[{ ...READS, argument: "path" }], /history\.0\.argument/],
    [[{ ...READS, of: "distinct" }], /history\.0\.argument/],
    [[{ ...READS, of: "denials", outcome: "allow" }], /history\.0\.outcome/],
    [[READS, { ...READS, of: "denials" }], /two have the same name/],
    [Array.from({ length: 17 }, (_, at) => ({ ...READS, name: `r${at}` })), /history/],
  ];
  for (const [history, message] of wrong)
    assert.throws(() => bundleOf(RULE, undefined, manifest(history)), { code: "POLICY_BUNDLE_INVALID", message });
});

test("every text, list and window of a declaration ends where its bound is", () => {
  const read = (history: unknown): boolean => {
    try {
      return bundleOf(RULE, undefined, manifest(history)).history.length > 0;
    } catch {
      return false;
    }
  };
  const one = (change: object): boolean => read([{ ...READS, ...change }]);
  assert.ok(one({ name: `a${"b".repeat(63)}` }) && !one({ name: `a${"b".repeat(64)}` }));
  assert.ok(one({ window_seconds: 1 }) && one({ window_seconds: 2_592_000 }) && !one({ window_seconds: 2_592_001 }));
  for (const name of ["tool", "server"])
    assert.ok(one({ [name]: "x".repeat(2_048) }) && !one({ [name]: "x".repeat(2_049) }) && !one({ [name]: "" }), name);
  const distinct = (argument: string): boolean => one({ of: "distinct", argument });
  assert.ok(distinct("x".repeat(2_048)) && !distinct("x".repeat(2_049)) && !distinct(""));
  assert.ok(read(Array.from({ length: 16 }, (_, at) => ({ ...READS, name: `r${at}` }))));
});

test("rules read the counts, under the bundle's own schema and under the built-in one", async () => {
  const own = schemaText("", "session_max_sensitivity: String, history: { reads: Long }, history_complete: Bool");
  for (const schema of [own, schemaText()]) {
    const policy = await compiled([READS], RULE, schema);
    assert.equal(policy.decide(call({ path: "a" }, { history: { reads: 3 } })).decision, "allow");
    assert.equal(policy.decide(call({ path: "a" }, { history: { reads: 4 } })).rule, "often");
    assert.equal(policy.decide(call({ path: "a" }, { history: {} })).decision, "deny", "no value is no allow");
  }
  const careful = await compiled(
    [READS],
    `${PERMIT_ALL} forbid (principal, action, resource) unless { context.history_complete };`,
  );
  assert.equal(careful.decide(call({ path: "a" })).decision, "allow");
  assert.equal(careful.decide(call({ path: "a" }, { historyComplete: false })).decision, "deny");
});

test("a rule that reads a count that nobody keeps denies its scope, and says so", async () => {
  const policy = await compiled([], RULE);
  assert.match(policy.warnings.join("\n"), /context\.history\.reads, which manifest\.json does not declare/);
  assert.equal(policy.decide(call({ path: "a" }, { history: { reads: 0 } })).decision, "deny");
  const strange = await compiled([{ ...READS, tool: "unknown_tool" }]);
  assert.match(strange.warnings.join("\n"), /history reads counts unknown_tool, which the catalog does not have/);
});
