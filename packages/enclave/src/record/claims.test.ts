import assert from "node:assert/strict";
import { test } from "node:test";
import type { WrittenClaim } from "@cmcp/claim";
import { ClaimSequence } from "./claims.ts";

test("a claim that cannot be written uses up no number, so that the next one links to the last written one", () => {
  const claims = new ClaimSequence();
  const seen: unknown[] = [];
  const write = (hash: string) => (number: number, previous: string | null) => {
    seen.push([number, previous]);
    return { hash } as WrittenClaim;
  };
  claims.next(write("first"));
  const fails = (): never => {
    throw new Error("not written");
  };
  assert.throws(() => claims.next(fails));
  claims.next(write("second"));
  assert.equal(claims.next(write("third")).hash, "third");
  assert.deepEqual(seen, [
    [1, null],
    [2, "first"],
    [3, "second"],
  ]);
});
