import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import * as fc from "fast-check";
import { FORWARDED_HEADERS, forwardedHeaders, responseHeaders } from "./headers.ts";

const name = fc.oneof(
  fc.constantFrom(...FORWARDED_HEADERS, "Authorization", "ACCEPT", "cookie", "__proto__", "constructor"),
  fc.stringMatching(/^[a-z-]{1,12}$/),
);
const value = fc.oneof(fc.stringMatching(/^[ -~]{0,40}$/), fc.string({ unit: "binary", maxLength: 10 }));

test("what is forwarded was sent, once and on the list, in bounded ASCII; or the request is refused", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), (fields) => {
      let forwarded: Record<string, string>;
      try {
        forwarded = forwardedHeaders(fields.flat(), 32);
      } catch (error) {
        assert.ok(error instanceof CmcpError && error.code === "MCP_INVALID_REQUEST");
        return;
      }
      const listed = fields.filter(([field]) => FORWARDED_HEADERS.has(field.toLowerCase()));
      assert.deepEqual(
        Object.keys(forwarded).sort(),
        [...new Set(listed.map(([field]) => field.toLowerCase()))].sort(),
      );
      for (const [field, content] of Object.entries(forwarded)) {
        const sent = listed.filter(([other]) => other.toLowerCase() === field).map(([, other]) => other);
        assert.equal(content, sent.join(", "));
        assert.ok(sent.length === 1 || field === "accept");
        assert.match(content, /^[\t -~]{0,32}$/);
      }
    }),
    { numRuns: 500 },
  );
});

test("response headers that frame the hop are dropped, the rest is passed", () => {
  assert.deepEqual(
    responseHeaders({
      "content-type": "a/b",
      connection: "close",
      "Transfer-Encoding": "chunked",
      upgrade: "x",
      "mcp-session-id": "1",
    }),
    {
      "content-type": "a/b",
      "mcp-session-id": "1",
    },
  );
});
