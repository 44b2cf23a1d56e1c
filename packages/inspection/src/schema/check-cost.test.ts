import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { MAX_MATCHED_LENGTH, MAX_MATCHED_NAME, MAX_MATCHED_NAMES, MAX_UNIQUE_ITEMS, prepareSchemas } from "../index.ts";
import { MAX_PATTERN_SIZE } from "./pattern/linear-pattern.ts";
import { MAX_WORK, workDone } from "./work.ts";
import { accepts, property, refused, tool, why } from "../testing/arguments.ts";

void describe("bounds on what a check costs", () => {
  void it("do not try patterns and formats on long strings", () => {
    const long = "a".repeat(MAX_MATCHED_LENGTH + 1);
    for (const schema of [{ pattern: "^a+$" }, { format: "json-pointer" }])
      assert.equal(accepts(property(schema), { a: long }), false);
    assert.equal(accepts(property({ pattern: "^a+$" }), { a: long.slice(1) }), true);
    assert.equal(accepts(property({ pattern: "^a+$" }), { a: 5 }), true);
    assert.equal(accepts(property({ type: "string" }), { a: long }), true);
    assert.equal(accepts(property({ format: "unheard-of" }), { a: long }), true);
    assert.equal(accepts(property({ format: "email" }), { a: "no address" }), false);
  });

  void it("do not compare many items or match long names", () => {
    const distinct = Array.from({ length: MAX_UNIQUE_ITEMS + 1 }, (_, index) => index);
    assert.equal(accepts(property({ uniqueItems: true }), { a: distinct }), false);
    assert.equal(accepts(property({ uniqueItems: true }), { a: distinct.slice(1) }), true);
    assert.equal(accepts(property({ uniqueItems: true }), { a: [1, 1] }), false);
    assert.equal(accepts({ patternProperties: { "^x": true } }, { ["y".repeat(MAX_MATCHED_NAME + 1)]: 1 }), false);
    assert.equal(accepts({}, { ["y".repeat(MAX_MATCHED_NAME + 1)]: 1 }), true);
  });

  void it("end a schema that refers to itself, as a refusal", () => {
    for (const schema of [
      { $ref: "#" },
      { allOf: [{ $ref: "#" }] },
      { properties: { a: { $ref: "#/properties/b" }, b: { $ref: "#/properties/a" } } },
    ])
      assert.equal(accepts(schema, { a: 1 }), false);
    assert.equal(
      accepts({ properties: { a: { $ref: "#" } }, additionalProperties: false }, { a: { a: { a: {} } } }),
      true,
    );
    assert.equal(
      accepts({ properties: { a: { $ref: "#" } }, additionalProperties: false }, { a: { a: { b: {} } } }),
      false,
    );
  });

  void it("match a pattern in work linear in the text, whatever the pattern and the text", () => {
    for (const [pattern, unit] of [
      ["^(a+)+$", "a"],
      ["^(a|a)*$", "a"],
      ["(a|aa)+$", "a"],
      ["^(\\w+\\s?)*$", "a"],
      ["^(a*)(a*)(a*)(a*)(a*)(a*)b$", "a"],
      ["^.*,.*,.*,.*,.*,.*x$", ","],
      ["\\s+$", " "],
    ] as const) {
      const steps = [320, 640, 1280].map((length) => {
        assert.equal(accepts(property({ type: "string", pattern }), { a: `${unit.repeat(length)}!` }), false, pattern);
        return workDone();
      });
      const [one = 0, two = 0, four = 0] = steps;
      assert.ok(one > 0 && two <= one * 2 && four <= one * 4, `${pattern}: ${steps.join()}`);
      assert.ok(two < 640 * MAX_PATTERN_SIZE, pattern);
    }
  });

  void it("end a check of many long texts against a large pattern, as a refusal", () => {
    const schema: JsonObject = {
      properties: { a: { type: "array", items: { type: "string", pattern: "^(?:[a-c]{1,500})*$" } } },
    };
    const text = "a".repeat(MAX_MATCHED_LENGTH);
    assert.equal(accepts(schema, { a: [text] }), true);
    assert.equal(
      why(schema, { a: Array.from({ length: 100 }, () => text) }),
      "the schema could not be applied to this value",
    );
    assert.ok(workDone() <= MAX_WORK * 1.2);
  });

  void it("match the names of properties in the same way", () => {
    const schema: JsonObject = {
      patternProperties: {
        "^(x+)+$": { type: "string" },
        "^x": { type: "string", maxLength: 3 },
        "\\d$": { type: "integer" },
      },
      additionalProperties: false,
    };
    for (const [args, fits] of [
      [{ xx: "a" }, true],
      [{ xx: 1 }, false],
      [{ xy: "long" }, false],
      [{ xy: "lo" }, true],
      [{ n1: 1, n2: 2 }, true],
      [{ n1: "1" }, false],
      [{ x1: "a" }, false],
      [{ other: 1 }, false],
      [{ [`${"x".repeat(100)}!`]: "a" }, true],
      [{ [`${"x".repeat(300)}!`]: "a" }, false],
      [Object.fromEntries(Array.from({ length: MAX_MATCHED_NAMES + 1 }, (_, index) => [`x${index}y`, "a"])), false],
    ] as const)
      assert.equal(accepts(schema, args), fits, JSON.stringify(args).slice(0, 100));
    assert.equal(why(schema, { "x/4111-1111": 1 }).includes("4111"), false);
  });

  void it("refuse patterns that no linear engine takes", () => {
    for (const pattern of ["(a)\\1", "(?<x>a)\\k<x>", "^(?!-)[a-z-]{1,63}$", "a{5000}", "a".repeat(1025), "("]) {
      refused(
        property({ pattern }),
        /#\/properties\/a\/pattern: (cannot be matched in linear time|is longer|is not a regular)/,
      );
      refused({ patternProperties: { [pattern]: true } }, /patternProperties: (cannot|is longer|is not a regular)/);
    }
  });

  void it("read the formats of the specification within their longest texts", () => {
    for (const [format, good, bad] of [
      ["date", ["2026-02-28"], ["2026-02-30", "2026-2-1"]],
      [
        "date-time",
        ["2026-02-28T10:00:00Z", "2026-02-28T10:00:00.5+01:00"],
        ["2026-02-28", `2026-02-28T10:00:00.${"1".repeat(60)}Z`],
      ],
      ["time", ["10:00:00Z"], ["25:00:00Z"]],
      ["duration", ["P1D", "PT1H30M"], ["1D", `P${"1".repeat(80)}D`]],
      ["email", ["a@example.org"], ["a", `${"a".repeat(400)}@example.org`]],
      ["hostname", ["a.example.org"], ["-a", `${"a.".repeat(200)}a`]],
      ["ipv4", ["127.0.0.1"], ["256.0.0.1"]],
      ["ipv6", ["::1", "2001:db8::8:800:200c:417a"], [":::", "x"]],
      ["uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567"]],
      [
        "uri",
        ["https://user@h.example:80/a/b?q=1#f", "urn:isbn:1", "mailto:a@b", "http://[::1]/x"],
        ["/a", "http://a b", "a", "http://h/%zz"],
      ],
      ["uri-reference", ["/a/b", "a?b#c", "//h/x", "", "urn:x"], ["a b", "\\\\x"]],
      ["url", ["https://h.example/a"], ["urn:x", "https://", `http://${"a-".repeat(50)}^`]],
      ["uri-template", ["http://h/{id}{?q,r*}", "x"], ["{", "{a b}"]],
      ["json-pointer", ["", "/a/~0b/~1"], ["a", "/~2"]],
      ["relative-json-pointer", ["0#", "1/a"], ["-1", "01"]],
      ["json-pointer-uri-fragment", ["#/a"], ["/a"]],
      ["regex", ["^a$"], ["("]],
    ] as const) {
      for (const text of good) assert.equal(why(property({ format }), { a: text }), "", `${format} ${text}`);
      for (const text of bad)
        assert.equal(why(property({ format }), { a: text }), "schema #/properties/a/format", `${format} ${text}`);
    }
  });

  void it("take the patterns people write", () => {
    for (const pattern of [
      "^[a-z]+(-[a-z]+)*$",
      "^\\d{3}-\\d{2}-\\d{4}$",
      "^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}$",
      "^(GET|POST|PUT)$",
      "^(?:\\d{1,3}\\.){3}\\d{1,3}$",
      "^#?([a-f0-9]{6}|[a-f0-9]{3})$",
      "^\\S+$",
      "^(/[^/]+)+$",
      "^\\p{L}[\\p{L}\\p{N} ]*$",
      "^[0-9]{4}(-[0-9]{2}){0,2}$",
      "",
      "^.*\\.txt$",
      "^https?://",
    ]) {
      prepareSchemas(tool(property({ pattern })));
    }
  });
});
