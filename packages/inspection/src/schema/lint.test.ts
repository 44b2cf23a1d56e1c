import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { lintInputSchema } from "../index.ts";
import { property, tool } from "../testing/arguments.ts";

void describe("what lint says of an input schema", () => {
  void it("is that it refuses every argument, or that additional ones pass unseen", () => {
    for (const inputSchema of [{}, { type: "object" }, { additionalProperties: true }, { additionalProperties: {} }])
      assert.match(
        lintInputSchema({ toolName: "t", inputSchema, outputSchema: null }).join(),
        /tool t: .*any argument is refused/,
      );
    for (const inputSchema of [
      property({ type: "string" }),
      { additionalProperties: false },
      { additionalProperties: { type: "string" } },
      { $ref: "#/$defs/a", $defs: { a: property({ type: "string" }) } },
    ])
      assert.deepEqual(lintInputSchema({ toolName: "t", inputSchema, outputSchema: null }), []);
    assert.match(lintInputSchema(tool({})).join(), /reach the server unseen by rules/);
  });
});
