import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { before, test } from "node:test";
import { loadDetectors, type Detectors } from "./detectors.ts";
import { findContent } from "./find-content.ts";
import { stringLeaves } from "./text/leaves.ts";

const SIZE = 2 * 1024 * 1024;
/** Milliseconds for 2 MB on a slow, shared machine: usual are under 100. */
const BOUND = 3000;

let detectors: Detectors;
before(async () => {
  detectors = await loadDetectors();
});

/** What each detector takes longest for. */
for (const piece of [
  "a",
  "1",
  "@",
  "a@a.",
  "AKIA",
  "skA1b2c3d4e5f6 ",
  "s.A1b2c3d4e5f6 ",
  "-----BEGIN PRIVATE KEY-----",
  "eyJ",
  "curl -u a:b ",
  "apikey=a1b2c3d4e5f6g7 ",
  "4111 1111 ",
  "DE89 3704 ",
  "not tell ",
  "ignore all ",
  "http://a?b={c} ",
  "![http://",
  "<img src=",
  "<!--",
  "style=display:",
  "\u001b[8;",
  "\u{e0041}",
  "\u{1f3f4}\u{e0041}",
  "\u200b",
  "\ufdfa",
  "\u0130",
]) {
  test(`2 MB of ${JSON.stringify(piece)} take bounded time and are said not to be complete`, () => {
    const text = piece.repeat(Math.ceil(SIZE / piece.length));
    const start = performance.now();
    const { complete } = findContent(stringLeaves({ text }), detectors);
    assert.ok(performance.now() - start < BOUND, `${performance.now() - start} ms`);
    assert.equal(complete, false);
  });
}
