import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonValue } from "@cmcp/boundary";
import * as fc from "fast-check";
import { readTrace } from "./trace.ts";

const PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test("a parent that parses goes on, with its state where that parses too", () => {
  for (const tracestate of [
    "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
    `a=${"x".repeat(250)},b=${"x".repeat(250)},c=xxxx`,
    "a@b=1",
    "a=1, b=2",
    "",
    ",a=1",
  ])
    assert.deepEqual(readTrace({ traceparent: PARENT, tracestate, baggage: "x" }), { traceparent: PARENT, tracestate });
  for (const tracestate of [
    "no pairs",
    "A=1",
    "a=",
    "a=1=2",
    "a=ü",
    "a=1\n",
    `a=${"x".repeat(257)}`,
    `a=${"x".repeat(250)},b=${"x".repeat(250)},c=xxxxx`,
    Array.from({ length: 33 }, (_, index) => `a${index}=1`).join(","),
    1,
    null,
    {},
  ])
    assert.deepEqual(
      readTrace({ traceparent: PARENT, tracestate }),
      { traceparent: PARENT },
      JSON.stringify(tracestate),
    );
});

test("a parent that does not parse ends here, and its state with it", () => {
  for (const traceparent of [
    "00",
    PARENT.toUpperCase(),
    `${PARENT}-more`,
    `${PARENT}\n`,
    ` ${PARENT}`,
    PARENT.replace("00-4", "ff-4"),
    `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
    `00-4bf92f3577b34da6a3ce929d0e0e4736-${"0".repeat(16)}-01`,
    1,
    null,
  ])
    assert.equal(readTrace({ traceparent, tracestate: "a=1" }), null, String(traceparent));
  assert.equal(readTrace({ tracestate: "a=1" }), null);
  for (const meta of [undefined, null, "x", []]) assert.equal(readTrace(meta), null);
});

test("property: whatever _meta holds, two bounded texts of their grammar go on and read the same again", () => {
  const text = fc.oneof(
    fc.string(),
    fc.constant(PARENT),
    fc.stringMatching(/^[a-z]{1,3}=[!-+]{1,300}(,[a-z]=1){0,40}$/),
  );
  fc.assert(
    fc.property(fc.record({ traceparent: text, tracestate: text, other: fc.jsonValue() }), (meta) => {
      const read = readTrace(meta as Record<string, JsonValue>);
      if (read === null) return;
      assert.deepEqual(readTrace(read), read);
      assert.ok(Object.keys(read).every((name) => name === "traceparent" || name === "tracestate"));
      assert.ok(JSON.stringify(read).length <= 55 + 512 + 64 + 512);
    }),
  );
});
