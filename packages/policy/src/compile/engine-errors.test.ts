import assert from "node:assert/strict";
import { test } from "node:test";
import type { DetailedError } from "@cedar-policy/cedar-wasm/nodejs";
import { engineText } from "./engine-errors.ts";

const error = (fields: Partial<DetailedError>): DetailedError =>
  ({ message: "it is wrong", ...fields }) as DetailedError;
const places = (...labels: readonly string[]): Pick<DetailedError, "sourceLocations"> => ({
  sourceLocations: labels.map((label) => ({ start: 0, end: 1, label })),
});

test("the engine's first error is one line: what is wrong, where, and what helps", () => {
  assert.equal(engineText([]), "no reason given");
  assert.equal(engineText([error({}), error({ message: "another" })]), "it is wrong");
  assert.equal(
    engineText([error({ ...places("here", "there"), help: "write\n  it so" })]),
    "it is wrong; here; write it so",
  );
  assert.equal(engineText([error({ help: "" })]), "it is wrong");
  assert.equal(engineText([error({ message: "x".repeat(401) })]), "x".repeat(400));
});
