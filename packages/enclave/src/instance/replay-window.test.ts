import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { ReplayWindow } from "./replay-window.ts";

test("property: a window takes each request once, as a set of all of them does", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 2 }), { maxLength: 200 }), (requests) => {
      const [window, seen] = [new ReplayWindow(), new Set<string>()];
      for (const request of requests) {
        const known = seen.has(request.join());
        assert.equal(window.has(request), known);
        assert.equal(window.add(request), !known);
        seen.add(request.join());
        assert.equal(window.size, seen.size);
      }
    }),
  );
});

test("a window that grows forgets nothing", () => {
  const window = new ReplayWindow();
  const requests = Array.from({ length: 5_000 }, () => randomBytes(32));
  for (const request of requests) assert.ok(window.add(request));
  for (const request of requests) assert.deepEqual([window.has(request), window.add(request)], [true, false]);
  assert.equal(window.size, requests.length);
});
