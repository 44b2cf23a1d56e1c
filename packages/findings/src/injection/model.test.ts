import assert from "node:assert/strict";
import { test } from "node:test";
import { featuresAt, InjectionModel, MODEL_BYTES, STRIDE, WINDOW, windowStarts } from "./model.ts";

/** A model where each word of a list has a weight by itself, and all other features have none. */
function modelOf(weights: Readonly<Record<string, number>>): InjectionModel {
  const table = new Int8Array(MODEL_BYTES);
  for (const [word, weight] of Object.entries(weights)) table[featuresAt([word], 0)[0] ?? 0] = weight;
  return new InjectionModel(new Uint8Array(table.buffer));
}
const words = (count: number, at: Readonly<Record<number, string>> = {}): string[] =>
  Array.from({ length: count }, (_, index) => at[index] ?? `w${index}`);
/** The logistic curve over a sum of weights of so many words. */
const curve = (sum: number, count: number): number =>
  Math.round(100 / (1 + Math.exp(-sum / Math.sqrt(Math.max(count, STRIDE)) / 16 + 2)));

test("the score is the logistic curve over a window's weights, 0 below three words", () => {
  const model = modelOf({ order: 120, calm: -100 });
  assert.equal(model.score(["order", "order"]), 0);
  assert.equal(model.score(words(3)), 12);
  assert.equal(model.score(words(12, { 3: "order" })), curve(120, 12));
  assert.equal(model.score(words(20, { 3: "order", 5: "order" })), curve(240, 20));
  assert.equal(model.score(words(12, { 3: "calm" })), curve(-100, 12));
  assert.equal(modelOf({ order: 127 }).score(Array.from({ length: 24 }, () => "order")), 100);
});

test("the gravest window counts, wherever it stands in a long text", () => {
  const model = modelOf({ order: 120, calm: -100 });
  const atEnd = 20;
  for (const [at, count] of [
    [0, WINDOW],
    [30, WINDOW],
    [100, WINDOW],
    [198, atEnd],
  ] as const)
    assert.equal(model.score(words(200, { [at]: "order", [at + 1]: "order" })), curve(240, count), String(at));
  const calm = Object.fromEntries(Array.from({ length: 150 }, (_, at) => [at, "calm"]));
  assert.equal(model.score(words(200, { ...calm, 190: "order" })), curve(120, atEnd));
});

test("windows start every twelve words, and the last ends with the text", () => {
  assert.deepEqual([WINDOW, STRIDE], [24, 12]);
  for (const [count, starts] of [
    [0, [0]],
    [24, [0]],
    [25, [0, 12]],
    [36, [0, 12]],
    [37, [0, 12, 24]],
  ] as const)
    assert.deepEqual(windowStarts(count), starts, String(count));
});

test("features are of the word, the two before it and its first five letters", () => {
  const [word, after, second, stem] = featuresAt(["x", "y", "ordering"], 2);
  assert.deepEqual(featuresAt(["x", "y", "orderly"], 2)[3], stem);
  assert.deepEqual(featuresAt(["a", "b", "ordering"], 2)[0], word);
  assert.deepEqual(featuresAt(["a", "y", "ordering"], 2)[1], after);
  assert.deepEqual(featuresAt(["x", "b", "ordering"], 2)[2], second);
  assert.notDeepEqual(featuresAt(["x", "b", "ordering"], 2)[1], after);
  assert.notDeepEqual(featuresAt(["a", "y", "ordering"], 2)[2], second);
  assert.deepEqual(featuresAt(["a".repeat(24)], 0)[0], featuresAt(["a".repeat(30)], 0)[0], "24 letters are read");
  assert.notDeepEqual(featuresAt(["a".repeat(23)], 0)[0], featuresAt(["a".repeat(24)], 0)[0]);
  for (const text of ["", "a", "order", "\uffff"])
    for (const feature of featuresAt([text], 0)) assert.ok(feature >= 0 && feature < MODEL_BYTES);
});

test("a table of another length is refused", () => {
  for (const length of [0, MODEL_BYTES - 1, MODEL_BYTES + 1])
    assert.throws(() => new InjectionModel(new Uint8Array(length)), { code: "DETECTOR_DATA_REFUSED" });
});
