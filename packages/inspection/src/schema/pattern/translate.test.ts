import assert from "node:assert/strict";
import { test } from "node:test";
import { translate } from "./translate.ts";

test("a translation has 128 Ki characters at most", () => {
  // What stands around the whole pattern is not counted.
  const counted = (pattern: string): number => translate(pattern).length - "(?:)".length;
  const property = counted("\\p{L}");
  const rest = (128 * 1024) % property;
  const odd = counted("\u0100") * (rest % 2);
  assert.deepEqual([counted("^"), counted("\u0100"), counted("a")], [2, 9, 8]);
  assert.ok(rest > odd);
  const longest =
    "\\p{L}".repeat((128 * 1024 - rest) / property) + "\u0100".repeat(rest % 2) + "^".repeat((rest - odd) / 2);
  assert.equal(counted(longest), 128 * 1024);
  assert.throws(() => translate(`${longest}^`), { name: "RangeError", message: "covers too many characters" });
});
