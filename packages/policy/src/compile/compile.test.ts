/** Candidates that would harm the engine, and what does not compile. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import { CmcpError } from "@cmcp/boundary";
import { PERMIT_ALL, READ_FILE, WORKER, bundleOf, call, catalogOf, compile, schemaText } from "../test-support.ts";
import { parseSchema } from "../schema/parse.ts";
import { compilePolicy } from "./compile.ts";
import { checkNesting } from "./nesting.ts";
import { MAX_EXPRESSION_DEPTH } from "./references.ts";
import { CompileWorker } from "./worker.ts";

const permitWhen = (condition: string): string => `permit (principal, action, resource) when { ${condition} };`;
const nested = (depth: number): string => permitWhen(`${"(".repeat(depth)}true${")".repeat(depth)}`);

async function refused(cedar: string, message: RegExp, schema?: string): Promise<void> {
  await assert.rejects(compile(cedar, schema), (thrown) => {
    assert.ok(thrown instanceof CmcpError);
    assert.equal(thrown.code, "POLICY_BUNDLE_INVALID");
    assert.match(thrown.message, message);
    return true;
  });
}

async function stillDecides(): Promise<void> {
  assert.equal((await compile(PERMIT_ALL)).decide(call()).decision, "allow");
}

void test("deep brackets are refused before anything parses them", async () => {
  for (const depth of [32, 300, 500, 50_000])
    await refused(nested(depth), /rules\.cedar nests brackets deeper than 32/);
  await refused(permitWhen(`${"[".repeat(500)}${"]".repeat(500)} == []`), /nests brackets/);
  await refused(PERMIT_ALL, /schema\.cedarschema nests brackets/, `{"cMCP": ${"[".repeat(100)}`);
  await stillDecides();
});

void test("a hundred and fifty candidates nested 80 to 100 deep do not harm the engine", async () => {
  for (let round = 0; round < 150; round += 1) await refused(nested(80 + (round % 21)), /nests brackets/);
  await stillDecides();
});

void test("brackets in strings and comments do not count, and cannot hide real ones", () => {
  checkNesting("a", `${"([{".repeat(10)}((${")".repeat(2)}((`);
  checkNesting("a", `permit (principal, action, resource); // ${"(".repeat(100)}\n`);
  checkNesting("a", `"${"(".repeat(100)}" "\\"${"(".repeat(100)}"`);
  for (const prefix of ['"\\\\" ', '// "\n', '"//" ', '"a" // b"\n'])
    assert.throws(() => checkNesting("a", `${prefix}${"(".repeat(33)}`), /nests brackets/);
});

void test("a string that does not end is refused, and its quotation marks are not tried one by one", async () => {
  for (const text of ['"', '"\\"', '"a\\', `permit (principal, action, resource); "${"(".repeat(100)}`])
    assert.throws(() => checkNesting("a", text), {
      code: "POLICY_BUNDLE_INVALID",
      message: "a has a string that does not end",
    });
  await refused(`${PERMIT_ALL} "`, /rules\.cedar has a string that does not end/);
  const text = `"${'\\"'.repeat(500_000)}`;
  // In a context of its own, whose end comes from outside: nothing in it would be asked before the search is over.
  const within = (work: () => unknown): unknown => runInNewContext("work()", { work }, { timeout: 20_000 });
  assert.throws(() => within(() => checkNesting("a", text)), /does not end/);
  assert.equal(
    within(() => parseSchema(text).ok),
    false,
  );
});

void test("a chain of operators that the engine could parse but not evaluate is refused", async () => {
  const chain = (length: number): string =>
    permitWhen(Array.from({ length }, () => 'context.session_max_sensitivity != "mnpi"').join(" && "));
  assert.equal((await compile(chain(MAX_EXPRESSION_DEPTH - 4))).decide(call()).decision, "allow");
  for (const length of [MAX_EXPRESSION_DEPTH + 4, 500, 3_000]) await refused(chain(length), /more than 128 operators/);
  await refused(permitWhen(`context${".a".repeat(500)} == 1`), /attribute path has more than 8 names/);
  await stillDecides();
});

void test("a candidate that kills the worker's engine is refused and kills nothing else", async () => {
  await refused(permitWhen(`${"if true then true else ".repeat(1_000)}false`), /policy engine failed on this bundle/);
  await stillDecides();
});

void test("a syntax error names file and place", async () => {
  await refused("permit (principal, action, resource", /rules\.cedar: unexpected end of input/);
  await refused(`${PERMIT_ALL} permit (nobody);`, /rules\.cedar: /);
});

void test("a template is refused, because nothing links it", async () => {
  await refused("permit (principal == ?principal, action, resource);", /templates are not linked/);
});

void test("a bundle of comments loads, warns and denies", async () => {
  const policy = await compile("// nothing yet\n");
  assert.match(policy.warnings.join(), /no rule permits anything/);
  assert.equal(policy.decide(call()).rule, "default-deny");
});

void test("annotations that would be ignored are refused", async () => {
  const on = (annotation: string, effect = "permit"): string =>
    `${annotation} ${effect} (principal, action, resource);`;
  await refused(on('@aarm_decision("stepup")', "forbid"), /rules\.cedar#1: @aarm_decision must be/);
  await refused(on('@redact_fields("")'), /@redact_fields must be field names/);
  await refused(on('@redact_fields("[ssn]")'), /@redact_fields must be field names/);
  await refused(on('@redact_fields("a,,b")'), /@redact_fields must be field names/);
  await refused(on('@redact_fields("ssn")', "forbid"), /on a forbid has no effect/);
  await refused(on('@redact_fields("ssn") @keep_fields("[a]")'), /@keep_fields must be field names/);
  await refused(on('@keep_fields("a")', "forbid"), /@keep_fields on a forbid has no effect/);
  await refused(on('@keep_fields("a")'), /@keep_fields without @redact_fields has no effect/);
  await refused(on('@redact_fields("a,b") @keep_fields("b")'), /both name b/);
  await refused(on('@id("a,b")'), /@id must be/);
  assert.equal((await compile(on('@owner("risk team") @id'))).decide(call()).rule, "rules.cedar#1");
});

void test("policies are numbered as they stand in the file", async () => {
  const permits = Array.from(
    { length: 12 },
    (_, index) => `permit (principal == cMCP::Principal::"p${index + 1}", action, resource);`,
  );
  const policy = await compile(permits.join("\n"));
  for (const number of [1, 2, 9, 10, 11, 12])
    assert.equal(policy.decide(call({}, { principal: { id: `p${number}` } })).rule, `rules.cedar#${number}`);
});

void test("warnings are bounded", async () => {
  const permits = Array.from(
    { length: 300 },
    (_, index) => `permit (principal, action, resource == cMCP::Resource::"gone_${index}");`,
  );
  const { warnings } = await compile(permits.join("\n"));
  assert.equal(warnings.length, 201);
  assert.match(warnings.at(-1) ?? "", /100 more warnings/);
});

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "cmcp-policy-"));
});
after(async () => await rm(folder, { recursive: true }));

for (const [what, source, message] of [
  ["never answers", "setInterval(() => {}, 1000);", /took longer than 300 ms/],
  ["ends without an answer", "", /ended without an answer/],
  ["fails", "throw new Error('x');", /compile worker failed/],
] as const) {
  void test(`a worker that ${what} refuses the bundle`, async () => {
    const file = join(folder, `${what.replaceAll(" ", "-")}.mjs`);
    await writeFile(file, source);
    const compiling = compilePolicy(bundleOf(PERMIT_ALL), catalogOf(READ_FILE), {
      workerUrl: pathToFileURL(file),
      timeoutMs: what === "never answers" ? 300 : 60_000,
    });
    await assert.rejects(
      compiling,
      (thrown) =>
        thrown instanceof CmcpError && thrown.code === "POLICY_BUNDLE_INVALID" && message.test(thrown.message),
    );
  });
}

void test("a worker that was started early compiles one candidate", async () => {
  const started = new CompileWorker(WORKER);
  const compiled = async (cedar: string) =>
    await compilePolicy(bundleOf(cedar), catalogOf(READ_FILE), { workerUrl: new URL("file:///nothing"), started });
  assert.equal((await compiled(PERMIT_ALL)).decide(call()).decision, "allow");
  await assert.rejects(compiled(PERMIT_ALL), { code: "INTERNAL", message: /one candidate/ });
});

void test("a worker that died before there was a candidate refuses it", async () => {
  const file = join(folder, "dies-early.mjs");
  await writeFile(file, "process.exit();");
  const started = new CompileWorker(pathToFileURL(file));
  await new Promise((resolve) => setTimeout(resolve, 500));
  await assert.rejects(compilePolicy(bundleOf(PERMIT_ALL), catalogOf(READ_FILE), { workerUrl: WORKER, started }), {
    code: "POLICY_BUNDLE_INVALID",
    message: /ended without an answer/,
  });
});

void test("the worker sees no environment", async () => {
  const file = join(folder, "environment.mjs");
  await writeFile(
    file,
    `import { parentPort } from "node:worker_threads"; parentPort.postMessage({ ok: false, code: "USAGE", message: String(Object.keys(process.env).length) });`,
  );
  process.env.CMCP_TEST_SECRET = "x";
  const compiling = compilePolicy(bundleOf(PERMIT_ALL, schemaText()), catalogOf(READ_FILE), {
    workerUrl: pathToFileURL(file),
  });
  await assert.rejects(compiling, (thrown) => thrown instanceof CmcpError && thrown.message === "0");
});
