import assert from "node:assert/strict";
import { test } from "node:test";
import { looksLikeJwt } from "./compact.ts";

test("three parts of base64url are a JWT by their looks", () => {
  for (const token of ["a.b.c", "a.b."]) assert.equal(looksLikeJwt(token), true);
  for (const token of ["a.b", "a.b.c.d", "a..c", ".b.c", "a.b.c=", "cmcp_secret", "a.b.c\n"])
    assert.equal(looksLikeJwt(token), false, token);
});
