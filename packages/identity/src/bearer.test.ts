import assert from "node:assert/strict";
import { test } from "node:test";
import { bearerToken, looksLikeJwt } from "./bearer.ts";

test("the token of one Bearer credential, and nothing else", () => {
  assert.equal(bearerToken("Bearer abc.def-_~+/=="), "abc.def-_~+/==");
  assert.equal(bearerToken("bEARER  abc"), "abc");
  for (const header of [null, "", "Bearer", "Bearer ", "Basic abc", "Bearerabc", "Bearer a b", "Bearer a, Bearer b", "Bearer a,b", " Bearer a", "Bearer =a", "Bearer é", "Bearer a\n"]) assert.equal(bearerToken(header), null, String(header));
});

test("a token over the bound is none", () => {
  assert.equal(bearerToken(`Bearer ${"a".repeat(8_192)}`)?.length, 8_192);
  assert.equal(bearerToken(`Bearer ${"a".repeat(8_193)}`), null);
});

test("three parts of base64url are a JWT by their looks", () => {
  for (const token of ["a.b.c", "a.b."]) assert.equal(looksLikeJwt(token), true);
  for (const token of ["a.b", "a.b.c.d", "a..c", ".b.c", "a.b.c=", "cmcp_secret", "a.b.c\n"]) assert.equal(looksLikeJwt(token), false, token);
});
