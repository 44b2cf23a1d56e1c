import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { CmcpError } from "@cmcp/boundary";
import { MAX_CONFIG_LENGTH } from "../index.ts";
import { parse, refused } from "./testing/configuration.ts";

void describe("the YAML", () => {
  void it("is refused with aliases, anchors, tags, duplicate keys, merges and more than one document", () => {
    for (const text of [
      "a: &x [1]\nb: *x",
      "catalog_path: &x c.json",
      "catalog_path: !!str c.json",
      "catalog_path: !custom c.json",
      "catalog_path: a\ncatalog_path: b",
      "enclave: {max_sessions: 1, max_sessions: 2}",
      "<<: {catalog_path: a}",
      "catalog_path: a\n---\ncatalog_path: b",
      "__proto__: {catalog_path: a}",
      "enclave: {__proto__: {max_sessions: 1}}",
      "? [a]\n: b",
      "catalog_path: [",
      "%YAML 9.9\n---\na: b",
    ]) {
      refused(text, "CONFIG_INVALID", /conf\.yaml/);
    }
  });

  void it("names the line", () => refused("catalog_path: a\nlisten_addr: &x b\n", "CONFIG_INVALID", /line 2/));

  void it("is bounded in size and depth", () => {
    refused(`catalog_path: ${"a".repeat(MAX_CONFIG_LENGTH)}`, "CONFIG_INVALID", /larger than/);
    refused(`catalog_path: ${"[".repeat(20)}${"]".repeat(20)}`, "CONFIG_INVALID", /nested too deeply/);
    for (const nested of [
      `${"[".repeat(2000)}${"]".repeat(2000)}`,
      `${"- ".repeat(2000)}a`,
      `${"{a: ".repeat(2000)}1${"}".repeat(2000)}`,
    ])
      refused(`catalog_path:\n ${nested}`, "CONFIG_INVALID", /conf\.yaml/);
  });

  void it("of any other text is a configuration or a typed refusal", () => {
    const fragment = fc.constantFrom(
      "attestation:",
      "enclave:",
      " ",
      "\n",
      "{",
      "}",
      "[",
      "]",
      "a",
      ":",
      "- ",
      "&a",
      "*a",
      "!t",
      "catalog_path: ",
      "'",
      '"',
      "|",
      ">",
      "#",
      "0",
      "null",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fragment, { maxLength: 30 }).map((parts) => parts.join("")),
        ),
        (text) => {
          try {
            parse(text);
          } catch (thrown) {
            assert.ok(thrown instanceof CmcpError && thrown.message.includes("conf.yaml"));
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
