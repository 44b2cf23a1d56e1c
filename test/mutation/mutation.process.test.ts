import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { nameOf, type Mutant } from "./mutant.ts";
import { Project } from "./project.ts";
import { measureTest, tryMutant } from "./runner.ts";
import { drawn } from "./sample.ts";

const SOURCE = `// “Text” before it: offsets count UTF-16 code units.
const MOST = 3;
type Words = "true" | 3;
export function fits(items: readonly string[], note: (what: Words) => void): boolean {
  if (items.length === 0) return true;
  note("true");
  while (items.length < -1) items = items.slice(1);
  return items.length <= MOST && items[0] !== "";
}
`;
const TEST = `import assert from "node:assert/strict";
import { fits } from "./fits.ts";
assert.ok(fits(["a", "b", "c"], () => {}));
assert.ok(!fits(["a", "b", "c", "d"], () => {}));
`;

const folder = mkdtempSync(join(tmpdir(), "cmcp-mutation-"));
const file = join(folder, "fits.ts");
writeFileSync(file, SOURCE);
writeFileSync(join(folder, "fits.test.ts"), TEST);
writeFileSync(
  join(folder, "tsconfig.json"),
  JSON.stringify({ compilerOptions: { strict: true, types: [], noEmit: true }, files: ["fits.ts"] }),
);
const project = new Project(folder);
after(() => {
  project.close();
  rmSync(folder, { recursive: true });
});

/** The one mutant with this name. */
function mutant(name: string): Mutant {
  const found = project.mutants(folder).filter((one) => nameOf(SOURCE, one) === name);
  assert.equal(found.length, 1, name);
  return found[0] ?? assert.fail();
}

test("every operator makes its mutants, and types have none", () => {
  const names = project.mutants(folder).map((one) => nameOf(SOURCE, one));
  for (const name of [
    "constant: 3 → 4",
    "condition: items.length === 0 → !(items.length === 0)",
    "guard: items.length === 0 → false",
    "comparison: === → !==",
    "constant: true → false",
    'call: note("true"); → ;',
    "comparison: < → <=",
    "comparison: <= → <",
    "comparison: !== → ===",
    "logic: && → ||",
    'return: items.length <= MOST && items[0] !== "" → false',
  ])
    assert.equal(names.filter((one) => one === name).length, 1, name);
  assert.ok(!names.includes("return: true → true"), "a change that changes nothing is none");
});

test("the compiler refuses what does not type-check, and the project stays as it was", () => {
  assert.ok(!project.accepts(mutant("return: true → null")));
  assert.ok(project.accepts(mutant("return: true → false")));
  assert.ok(project.accepts(mutant("comparison: <= → <")));
  assert.equal(readFileSync(file, "utf8"), SOURCE);
});

test("a planted mutant is killed, one without a test and one without effect survive", async () => {
  const tests = [await measureTest(join(folder, "fits.test.ts"), folder)];
  const killedBy = async (planted: Mutant): Promise<string | null> =>
    (await tryMutant(planted, tests, folder)).killedBy;
  assert.equal(await killedBy(mutant("comparison: <= → <")), join(folder, "fits.test.ts"));
  assert.equal(await killedBy(mutant('call: note("true"); → ;')), null);
  const start = SOURCE.indexOf("3;");
  assert.equal(await killedBy({ file, start, end: start + 1, replacement: "3", operator: "constant" }), null);
  assert.equal(readFileSync(file, "utf8"), SOURCE);
});

test("the tests beside the source run before the others, and the quick ones of either kind first", async () => {
  const measured = await measureTest(join(folder, "fits.test.ts"), folder);
  const names = ["fits.test.ts", "fits.process.test.ts", "fits.long.test.ts", "fit.test.ts", "fits.other.test.ts"];
  for (const name of names) writeFileSync(join(folder, name), TEST);
  const first = async (times: Readonly<Record<string, number>>): Promise<string | undefined> => {
    const tests = Object.entries(times).map(([name, ms]) => ({ ...measured, file: join(folder, name), ms }));
    return (await tryMutant(mutant("comparison: <= → <"), tests, folder)).killedBy?.slice(folder.length + 1);
  };
  assert.equal(await first({ "fit.test.ts": 1, "fits.process.test.ts": 2 }), "fits.process.test.ts");
  assert.equal(await first({ "fits.other.test.ts": 1, "fits.long.test.ts": 2 }), "fits.long.test.ts");
  assert.equal(await first({ "fits.long.test.ts": 3, "fits.test.ts": 2 }), "fits.test.ts");
  assert.equal(await first({ "fits.test.ts": 3, "fits.process.test.ts": 2 }), "fits.process.test.ts");
  assert.equal(await first({ "fits.other.test.ts": 2, "fit.test.ts": 1 }), "fit.test.ts");
});

test("a mutant is shown to threads too, whatever their environment", async () => {
  const thread = join(folder, "thread.test.ts");
  writeFileSync(
    thread,
    `import { once } from "node:events";
import { Worker } from "node:worker_threads";
const [code] = await once(new Worker(new URL("./fits.test.ts", import.meta.url), { env: {} }), "exit");
process.exitCode = code;
`,
  );
  const tests = [await measureTest(thread, folder)];
  assert.equal((await tryMutant(mutant("comparison: <= → <"), tests, folder)).killedBy, thread);
});

test("a mutant that does not end is killed", async () => {
  const measured = await measureTest(join(folder, "fits.test.ts"), folder);
  const endless = mutant("condition: items.length < -1 → !(items.length < -1)");
  // A time that is over at once stands for a long one: twenty seconds less.
  const verdict = await tryMutant(endless, [{ ...measured, ms: -3_900 }], folder);
  assert.equal(verdict.killedBy, join(folder, "fits.test.ts"));
});

test("tests that fail without a mutant say nothing", async () => {
  const red = join(folder, "red.test.ts");
  writeFileSync(red, 'throw new Error("red");');
  await assert.rejects(measureTest(red, folder), /red\.test\.ts fails without a mutant/);
});

test("a seed draws the same mutants again, and only accepted ones", () => {
  const all = project.mutants(folder);
  const draw = (seed: number, count: number): Mutant[] =>
    drawn(all, { seed, count, accepts: ({ operator }) => operator !== "return" });
  assert.deepEqual(draw(7, 4), draw(7, 4));
  assert.notDeepEqual(draw(7, 4), draw(8, 4));
  assert.equal(draw(7, 4).length, 4);
  const accepted = all.filter(({ operator }) => operator !== "return");
  assert.ok(accepted.length < all.length);
  assert.deepEqual(new Set(draw(7, all.length)), new Set(accepted));
});
