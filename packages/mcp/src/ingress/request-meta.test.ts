import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import * as fc from "fast-check";
import { MAX_FORWARDED_BYTES, MAX_FORWARDED_MEMBERS, forwardedMeta } from "./request-meta.ts";

test("trace context and members of vendors go on", () => {
  const meta = {
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "vendor=1",
    baggage: "user=1",
    "com.example/key": { a: [1] },
    "com.example.mcp/key": 1,
    plain: null,
  };
  assert.deepEqual(forwardedMeta(meta), meta);
});

test("what speaks of this hop, and every name MCP reserves, ends here", () => {
  const ends = [
    "progressToken",
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/related-task",
    "dev.mcp/x",
    "org.modelcontextprotocol.api/x",
    "com.MCP.tools/x",
  ];
  for (const name of ends) assert.equal(forwardedMeta({ [name]: "x" }), null, name);
  assert.equal(forwardedMeta(null), null);
  assert.equal(forwardedMeta({}), null);
});

test("members and bytes are bounded", () => {
  const many = (count: number): JsonObject =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 1]));
  assert.equal(Object.keys(forwardedMeta(many(MAX_FORWARDED_MEMBERS)) ?? {}).length, MAX_FORWARDED_MEMBERS);
  assert.throws(() => forwardedMeta(many(MAX_FORWARDED_MEMBERS + 1)), { code: "MCP_INVALID_REQUEST" });
  assert.throws(() => forwardedMeta({ big: "ü".repeat(MAX_FORWARDED_BYTES / 2) }), { code: "MCP_INVALID_REQUEST" });
});

test("no reserved name passes, whatever stands around it", () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.oneof(fc.string(), fc.constantFrom("progressToken", "io.modelcontextprotocol/a", "x.mcp/b")),
        fc.jsonValue(),
        { maxKeys: 20 },
      ),
      (meta) => {
        const names = Object.keys(forwardedMeta(meta as JsonObject) ?? {});
        assert.ok(
          names.every(
            (name) =>
              name !== "progressToken" &&
              name.split("/", 1)[0]?.split(".")[1] !== "mcp" &&
              !name.startsWith("io.modelcontextprotocol/"),
          ),
          names.join(),
        );
      },
    ),
  );
});
