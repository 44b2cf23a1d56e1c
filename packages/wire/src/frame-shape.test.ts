import assert from "node:assert/strict";
import { test } from "node:test";
import { frameProblem } from "./frame-shape.ts";

test("what is wrong with a frame is named, and nothing that the peer chose", () => {
  const request = { t: "request", x: 1, method: "GET", path: "/", headers: {} };
  for (const [map, problem] of [
    [request, null],
    [{ ...request, t: "secret" }, "unknown type"],
    [{ x: 1 }, "unknown type"],
    [{ ...request, secret: 1 }, "an unknown member"],
    [{ ...request, path: "secret" }, "bad path"],
    [{ ...request, x: 0 }, "bad x"],
    [{ t: "request", x: 1, method: "GET", path: "/" }, "a missing member"],
    [{ ...request, headers: undefined }, "a missing member"],
    [{ t: "scan", x: 1 }, null],
    [{ t: "scan", x: 1, kind: "entry" }, null],
  ] as const)
    assert.equal(frameProblem(map), problem);
});

test("header fields are a map of texts", () => {
  for (const headers of [null, [], "a", 1, new Uint8Array(1), { a: 1 }, { a: null }])
    assert.equal(frameProblem({ t: "response", x: 1, status: 200, headers }), "bad headers");
  assert.equal(frameProblem({ t: "response", x: 1, status: 599, headers: { a: "\t \x7e\x80\xff" } }), null);
});
