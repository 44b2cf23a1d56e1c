import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const MODULE = fileURLToPath(new URL("./frozen-intrinsics.ts", import.meta.url));

/** What an expression gives, or the name of what it throws, in a process of its own. */
function inProcess(flags: readonly string[], expression: string): unknown {
  const said = `(() => { try { return ${expression}; } catch (error) { return error.constructor.name; } })()`;
  return JSON.parse(
    execFileSync(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", ...flags, "--eval", `process.stdout.write(JSON.stringify(${said}))`],
      { encoding: "utf8" },
    ),
  );
}

const ATTEMPTS = [
  'eval("5")',
  '(0, eval)("5")',
  'new Function("return 5")()',
  'Function("return 5")()',
  '(() => 1).constructor("return 5")()',
  '({}).constructor.constructor("return 5")()',
  'typeof (async () => 1).constructor("return 5") === "function" ? 5 : 0',
  '(function* () {}).constructor("yield 5")().next().value',
  'typeof (async function* () {}).constructor("yield 5") === "function" ? 5 : 0',
  'Object.getPrototypeOf((async () => 1).constructor)("return 5")()',
  'Reflect.construct((function* () {}).constructor, ["yield 5"])().next().value',
  'new (class extends Function {})("return 5")()',
];

for (const attempt of ATTEMPTS) {
  test(`${attempt} makes no code`, () => {
    assert.equal(inProcess([], attempt), 5, "and would otherwise");
    assert.equal(inProcess(["--require", MODULE], attempt), "EvalError");
  });
}

test("functions are what they were to whoever asks", () => {
  const asked =
    "[(() => 1) instanceof Function, (async () => 1) instanceof Function, (() => 1).constructor === Function, Object.getPrototypeOf(() => 1) === Function.prototype, Function.name, (async () => 1).constructor.name, (() => 7).call(null)]";
  assert.deepEqual(inProcess(["--require", MODULE], asked), inProcess([], asked));
});
