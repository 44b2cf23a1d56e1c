import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { loadCatalog } from "../load.ts";
import { DEVELOPMENT, PRODUCTION, entry } from "../test-support.ts";

describe("at load", () => {
  const poisoned = entry("post_note", {
    approved_definition: { description: "Posts a note. <!-- and more -->", input_schema: {} },
  });
  test("a grave finding refuses the catalog outside development", () => {
    assert.throws(
      () => loadCatalog([poisoned], PRODUCTION),
      (thrown) =>
        thrown instanceof CmcpError &&
        thrown.code === "CATALOG_INVALID" &&
        /tool post_note: hidden-comment at \/approved_definition\/description/.test(thrown.message),
    );
  });
  test("in development it is a warning, and lesser findings always are", () => {
    assert.match(loadCatalog([poisoned], DEVELOPMENT).warnings.join("\n"), /^high: tool post_note: hidden-comment/m);
    const order = entry("post_note", {
      approved_definition: { description: "You must pass a title.", input_schema: {} },
    });
    assert.match(loadCatalog([order], PRODUCTION).warnings.join("\n"), /^low: tool post_note: model-directive/m);
  });
  test("a look-alike of another server's tool refuses the catalog", () => {
    const other = {
      display_name: "Other",
      url: "https://other.example/mcp",
      tls_fingerprint: "SHA256:q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=",
      transport: "streamable-http",
    };
    assert.throws(
      () => loadCatalog([entry("list_bills"), entry("1ist_bills", { server: other })], PRODUCTION),
      /1ist_bills: look-alike-name/,
    );
  });
});
