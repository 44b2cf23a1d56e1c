import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { readChallenge } from "./challenge.ts";

test("a challenge is read whatever stands around it", () => {
  const expected = {
    schemes: new Set(["bearer"]),
    resourceMetadata: "https://a.example/m",
    scopes: ["read", "write"],
    error: "invalid_token",
  };
  for (const header of [
    'Bearer resource_metadata="https://a.example/m", scope="read write", error="invalid_token"',
    'bearer  scope="read write" , error=invalid_token,resource_metadata="https://a.example/m"',
    'Basic realm="scope=\\"x\\"", Bearer error="invalid_token", scope="read write", resource_metadata="https://a.example/m"',
    'Negotiate, Bearer error="invalid_token", scope="read write", resource_metadata="https://a.example/m", Basic realm="r"',
  ])
    assert.deepEqual(readChallenge(header), expected, header);
});

test("the first value of a parameter counts, over both schemes of OAuth", () => {
  const read = readChallenge('DPoP error="use_dpop_nonce", algs="ES256", Bearer error="other", scope="a"');
  assert.deepEqual(read, {
    schemes: new Set(["dpop", "bearer"]),
    resourceMetadata: null,
    scopes: ["a"],
    error: "use_dpop_nonce",
  });
});

test("no challenge of OAuth is none, and neither is one that is too long", () => {
  for (const header of [null, "", "Basic", 'Basic realm="Bearer"', `Bearer scope="${"a ".repeat(5_000)}"`])
    assert.equal(readChallenge(header), null, String(header).slice(0, 40));
  assert.equal(readChallenge("Bearer")?.scopes, null);
  assert.equal(readChallenge('Bearer scope="a\\\\b"')?.scopes, null);
});

test("no header makes it throw or take long", () => {
  const piece = fc.constantFrom("Bearer", "DPoP", " ", ",", "=", '"', "\\", "scope", "a", "\t", "=a", '="b"');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 400 }), (pieces) => {
      readChallenge(pieces.join(""));
    }),
  );
});
