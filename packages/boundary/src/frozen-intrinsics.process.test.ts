import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";

const MODULE = fileURLToPath(new URL("./frozen-intrinsics.ts", import.meta.url));

/** What an expression gives in a process of its own, where the module was loaded first or these flags were given. */
function inProcess(flags: readonly string[], expression: string): unknown {
  const output = execFileSync(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      "--disable-proto=delete",
      ...flags,
      "--eval",
      `"use strict"; process.stdout.write(JSON.stringify(${expression}))`,
    ],
    { encoding: "utf8" },
  );
  return JSON.parse(output);
}

const frozen = (expression: string): unknown => inProcess(["--require", MODULE], expression);

/** The globals of a realm that has nothing but the language. */
const LANGUAGE = runInNewContext("Object.getOwnPropertyNames(globalThis)") as string[];

/** Walks from these globals and from what only syntax reaches; gives the paths of what is not frozen. */
const UNFROZEN = `((names) => {
  const seen = new Set(), left = [], waiting = [];
  const add = (value, path) => {
    if (value === null || (typeof value !== "object" && typeof value !== "function") || value === globalThis || seen.has(value)) return;
    seen.add(value);
    waiting.push([value, path]);
  };
  for (const name of names) add(globalThis[name], name);
  const syntax = { async: async () => {}, generator: Object.getPrototypeOf(function* () {}), asyncGenerator: Object.getPrototypeOf(async function* () {}), array: [].values(), string: ""[Symbol.iterator](), map: new Map().values(), set: new Set().values(), matches: "".matchAll(/./g), helper: [].values().map(String), wrapped: Iterator.from({ next() {} }) };
  for (const [name, value] of Object.entries(syntax)) add(Object.getPrototypeOf(value), name);
  for (const name of ["generator", "asyncGenerator"]) add(syntax[name], name);
  while (waiting.length > 0) {
    const [object, path] = waiting.pop();
    if (!Object.isFrozen(object)) left.push(path);
    add(Object.getPrototypeOf(object), path + ".__proto__");
    for (const [key, descriptor] of Reflect.ownKeys(object).map((key) => [key, Object.getOwnPropertyDescriptor(object, key)])) {
      for (const part of ["value", "get", "set"]) add(descriptor[part], path + "." + String(key));
    }
  }
  return left;
})(${JSON.stringify(LANGUAGE)})`;

test("everything the language gives is frozen, whatever reaches it", () => {
  assert.ok(LANGUAGE.includes("JSON") && LANGUAGE.length > 60);
  assert.deepEqual(frozen(UNFROZEN), []);
});

test("nothing of it would be frozen otherwise", () => {
  assert.ok((inProcess([], UNFROZEN) as string[]).length > 500);
});

test("every global that Node's own flag freezes is frozen", () => {
  const names =
    "Object.getOwnPropertyNames(globalThis).filter((name) => { const { value } = " +
    "Object.getOwnPropertyDescriptor(globalThis, name); return (typeof value === 'object' || typeof value === " +
    "'function') && value !== null && Object.isFrozen(value); })";
  const flagged = inProcess(["--frozen-intrinsics"], names) as string[];
  assert.ok(flagged.includes("setTimeout") && flagged.includes("Array"));
  const ours = new Set(frozen(names) as string[]);
  assert.deepEqual(
    flagged.filter((name) => !ours.has(name)),
    [],
  );
});

const ATTEMPTS = [
  "JSON.parse = () => 1",
  "Array.prototype.push = () => 1",
  "Promise.prototype.then = () => 1",
  "Object.prototype.toString = () => 1",
  "Error.prototype.name = 'x'",
  "Object.prototype.added = 1",
  "delete Map.prototype.get",
  "Object.defineProperty(Set.prototype, 'has', { value: () => true })",
  "Object.setPrototypeOf(Uint8Array.prototype, null)",
  "Object.getPrototypeOf([].values()).next = () => 1",
  "setTimeout.x = 1",
];

for (const attempt of ATTEMPTS) {
  test(`${attempt} throws`, () => {
    assert.equal(
      frozen(`(() => { try { ${attempt}; return "done"; } catch (error) { return error.constructor.name; } })()`),
      "TypeError",
    );
  });
}

test("objects take members of their own by the name of an inherited one", () => {
  const made = `(() => {
    const error = new RangeError("said"); error.name = "Named"; error.message = "changed"; error.message = "again";
    const map = {}; for (const key of ["constructor", "toString", "hasOwnProperty", "valueOf"]) map[key] = key;
    function Old() {} Old.prototype.toString = () => "old"; const call = () => 1; call.bind = "bound";
    return [error.name, error.message, Object.keys(map), JSON.stringify(map), String(new Old()), call.bind];
  })()`;
  const keys = ["constructor", "toString", "hasOwnProperty", "valueOf"];
  assert.deepEqual(frozen(made), [
    "Named",
    "again",
    keys,
    JSON.stringify(Object.fromEntries(keys.map((key) => [key, key]))),
    "old",
    "bound",
  ]);
});
