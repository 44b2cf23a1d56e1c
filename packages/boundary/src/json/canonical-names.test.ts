/** A process of its own, in which no name was written before. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { canonicalText } from "./canonical.ts";

setFlagsFromString("--expose-gc");
const collectOnce = runInNewContext("gc") as () => void;

/** V8 keeps the shape of an object, and with it the name, for two collections more. */
function collect(): void {
  for (let time = 0; time < 4; time += 1) collectOnce();
}

/** Bytes of heap that writing objects of one name each leaves. */
function left(names: Iterable<string>): number {
  collect();
  const before = process.memoryUsage().heapUsed;
  for (const name of names) canonicalText({ [name]: 1 });
  collect();
  return process.memoryUsage().heapUsed - before;
}

function* names(count: number, length: number): Generator<string> {
  for (let index = 0; index < count; index += 1) yield `${index} `.padEnd(length, "of many ");
}

test("long names are not kept", () => assert.ok(left(names(500, 100_000)) < 5_000_000));
test("nor is every short one", () => assert.ok(left(names(200_000, 70)) < 5_000_000));
