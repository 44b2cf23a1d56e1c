import assert from "node:assert/strict";
import { test } from "node:test";
import { signedLostStore } from "./testing/lost-store.ts";
import { verifiesStatement } from "./verify-statement.ts";

const { statement, key, signature } = signedLostStore();

test("a statement verifies under the key that signed it", () => {
  assert.equal(verifiesStatement(key, statement, signature), true);
});

test("a key of another length, another key, statement or signature does not verify", () => {
  for (const other of ["", "!", "A".repeat(42), `${key}AA`, "A".repeat(86)])
    assert.equal(verifiesStatement(other, statement, signature), false, other);
  assert.equal(verifiesStatement(key, { ...statement, reason: "another" }, signature), false);
  for (const other of ["", "!", "A".repeat(86), signature.slice(0, 80)])
    assert.equal(verifiesStatement(key, statement, other), false, other);
});
