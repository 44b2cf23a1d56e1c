import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { LOG_LEVELS, logLevel, mostVerbose, isWanted } from "./log-level.ts";

test("who named a level hears it and what is more severe; who named none hears all", () => {
  assert.deepEqual(
    LOG_LEVELS.map((level) => isWanted(level, "warning")),
    [false, false, false, true, true, true, true, true],
  );
  assert.ok(LOG_LEVELS.every((level) => isWanted(level, null)));
  assert.deepEqual([isWanted("chatty", "debug"), isWanted(1, "debug"), isWanted("chatty", null)], [false, false, true]);
  assert.deepEqual([logLevel("info"), logLevel("INFO"), logLevel(undefined)], ["info", undefined, undefined]);
});

test("the most verbose of several lets through what any of them hears, and is one of them", () => {
  assert.equal(mostVerbose([]), undefined);
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...LOG_LEVELS), { minLength: 1 }),
      fc.constantFrom(...LOG_LEVELS),
      (wanted, said) => {
        const level = mostVerbose(wanted);
        assert.ok(level !== undefined && wanted.includes(level));
        assert.equal(
          isWanted(said, level),
          wanted.some((least) => isWanted(said, least)),
        );
      },
    ),
  );
});
