/** What each match costs of the work that one check may take. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasFormat } from "./formats.ts";
import { LinearPattern } from "./pattern/linear-pattern.ts";
import { beginWork, workDone } from "./work.ts";

test("a pattern costs its size for each character of a text, and once for its end", () => {
  const pattern = LinearPattern.read("^a+$");
  assert.ok(typeof pattern !== "string" && pattern.size > 0);
  for (const length of [0, 1, 10, 4_096]) {
    beginWork();
    assert.equal(pattern.test("a".repeat(length)), length > 0);
    assert.equal(workDone(), pattern.size * (length + 1));
  }
  beginWork();
  assert.equal(pattern.test("a".repeat(4_097)), false);
  assert.equal(workDone(), 0);
});

test("a format of the library costs one step, and one that is a pattern what the pattern costs", () => {
  for (const format of [
    "date",
    "time",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "regex",
    "uuid",
  ]) {
    hasFormat("x", format);
    assert.equal(workDone(), 1, format);
  }
  hasFormat("a:b", "uri");
  const short = workDone();
  hasFormat("a:bcdefgh", "uri");
  assert.ok(short > 1 && workDone() > short);
});

test("a format that is not read here is had by no text", () => {
  for (const format of ["unheard-of", "toString", ""]) assert.equal(hasFormat("x", format), false, format);
});
