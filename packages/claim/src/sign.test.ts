import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { canonicalText } from "@cmcp/boundary";
import * as fc from "fast-check";
import { buildClaim } from "./build.ts";
import { claimSchema } from "./claim.ts";
import { claimHash, signClaim } from "./sign.ts";
import { claimSigningInput } from "./signing-input.ts";
import { call, entriesOf, inputOf, isSignedBy, jwk, signWithKey } from "./testing/session.ts";

const claim = signClaim(buildClaim(inputOf(entriesOf(call("echo", "allow")))), signWithKey);

/** Every place of a value, as a path to a leaf. */
function leaves(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [[...path]];
  const inner = Object.entries(value).flatMap(([key, member]) => leaves(member, [...path, key]));
  return inner.length > 0 ? inner : [[...path]];
}

function withChanged(value: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined) return value === "changed" ? "other" : "changed";
  if (Array.isArray(value)) return value.with(Number(key), withChanged(value[Number(key)], rest));
  return { ...(value as object), [key]: withChanged((value as Record<string, unknown>)[key], rest) };
}

test("a claim is signed over the canonical JSON of everything but its signature", () => {
  const { signature, ...body } = claim;
  assert.match(signature, /^[A-Za-z0-9_-]{86}$/);
  assert.equal(Buffer.from(claimSigningInput(claim)).toString(), canonicalText(body));
  assert.ok(isSignedBy(jwk, claimSigningInput(claim), signature));
  assert.deepEqual(claimSchema.parse(claim), claim);
});

test("no value in a claim can be changed without breaking its signature", () => {
  const places = leaves(claim).filter(([first]) => first !== "signature");
  assert.ok(places.length > 35);
  for (const place of places) {
    const changed = withChanged(claim, place) as typeof claim;
    assert.ok(!isSignedBy(jwk, claimSigningInput(changed), claim.signature), place.join("."));
  }
});

test("the order of members does not matter to the signature or the hash", () => {
  const reversed = JSON.parse(JSON.stringify(claim), (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toReversed())
      : value,
  ) as typeof claim;
  assert.notEqual(JSON.stringify(reversed), JSON.stringify(claim));
  assert.ok(isSignedBy(jwk, claimSigningInput(reversed), reversed.signature));
  assert.equal(claimHash(reversed), claimHash(claim));
});

test("a claim's hash covers the whole claim, its signature included", () => {
  assert.equal(claimHash(claim), `sha256:${createHash("sha256").update(canonicalText(claim)).digest("hex")}`);
  fc.assert(
    fc.property(fc.constantFrom(...leaves(claim)), (place) => {
      assert.notEqual(claimHash(withChanged(claim, place) as typeof claim), claimHash(claim));
    }),
  );
});
